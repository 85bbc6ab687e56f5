//! Starts payment-svc.

use std::process::ExitCode;

use mesh::process::{Program, run};
use payment_svc::config::{Config, VARIABLES};
use payment_svc::service::{NAME, serve};

const PROGRAM: Program = Program {
    name: NAME,
    about: "takes and returns money through payment providers",
    variables: &[mesh::config::VARIABLES, VARIABLES],
};

fn main() -> ExitCode {
    run(
        &PROGRAM,
        Config::read,
        |config| config.server.observed(),
        serve,
    )
}
