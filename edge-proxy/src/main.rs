//! edge-proxy: reads its configuration, then the library does the work.

use std::process::ExitCode;

use edge_proxy::{Config, PROGRAM};

fn main() -> ExitCode {
    mesh::process::run(
        &PROGRAM,
        Config::read,
        |config| config.server.observed(),
        edge_proxy::run,
    )
}
