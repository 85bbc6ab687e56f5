//! The booking-svc process.

use std::process::ExitCode;

use booking_svc::config::Config;
use booking_svc::{PROGRAM, serve};

fn main() -> ExitCode {
    mesh::process::run(
        &PROGRAM,
        Config::read,
        |config| config.server.observed(),
        serve,
    )
}
