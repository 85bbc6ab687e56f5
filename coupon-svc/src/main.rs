//! Starts coupon-svc.

use std::process::ExitCode;

use coupon_svc::config::{Config, VARIABLES};
use coupon_svc::service::{NAME, serve};
use mesh::process::{Program, run};

const PROGRAM: Program = Program {
    name: NAME,
    about: "coupons: campaigns, first-come claims, the best combination",
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
