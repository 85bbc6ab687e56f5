//! Starts queue-svc.

use std::process::ExitCode;

use mesh::process::{Program, run};
use queue_svc::config::{Config, VARIABLES};
use queue_svc::service::{NAME, serve};

const PROGRAM: Program = Program {
    name: NAME,
    about: "waiting rooms: join, wait, be admitted, hold a pass",
    variables: &[VARIABLES],
};

fn main() -> ExitCode {
    run(
        &PROGRAM,
        Config::read,
        |config| config.server.observed(),
        serve,
    )
}
