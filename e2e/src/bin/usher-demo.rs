//! Puts a demo on sale, and tells one purchase step by step.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for a terminal"
)]

use std::process::ExitCode;

use e2e::demo::{self, DemoError, Stage};
use e2e::rest::{Answer, Call, explain};
use mesh::config::EXIT_USAGE;

const HELP: &str = "usher-demo seed   puts the demo show on sale, unless it is; prints its id
usher-demo buy    buys two seats through REST and tells every step

Both need a running mesh (make run) and read USHER_EDGE_URL, USHER_BOOKING_URL, USHER_PG_SIM_URL, USHER_KEYS_DIR.";

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("seed") => seed().await,
        Some("buy") => buy().await,
        Some("--help" | "-h") => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("usher-demo: {}", explain(&problem));
            ExitCode::FAILURE
        }
    }
}

async fn seed() -> Result<(), DemoError> {
    let stage = Stage::set()?;
    let sale = demo::seed(&stage, &mut |call: &Call, answer: &Answer| {
        println!("{} -> {}", call.title(), answer.status);
    })
    .await?;
    println!("show {}", sale.show_id);
    Ok(())
}

async fn buy() -> Result<(), DemoError> {
    demo::buy(&Stage::set()?, &mut |text: &str| print!("{text}")).await
}
