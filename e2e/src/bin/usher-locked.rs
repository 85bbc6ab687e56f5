//! Starts the claims under a lock that `usher-bench` compares with.

use std::process::ExitCode;

use e2e::bench::locked::{Config, VARIABLES, serve};
use mesh::process::{Program, run};

const PROGRAM: Program = Program {
    name: "usher-locked",
    about: "claims coupons under a lock in Redis, as is often done: what a bench compares with",
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
