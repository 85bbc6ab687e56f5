//! Starts the echo that `usher-bench` measures limits with.

use std::process::ExitCode;

use e2e::bench::echo::{VARIABLES, serve};
use mesh::process::{Program, run};
use mesh::server::ServerConfig;

const PROGRAM: Program = Program {
    name: "usher-echo",
    about: "answers QueueService and CouponService without a look at anything: the limit of a bench",
    variables: &[VARIABLES],
};

fn main() -> ExitCode {
    run(&PROGRAM, ServerConfig::read, ServerConfig::observed, serve)
}
