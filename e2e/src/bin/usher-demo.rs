//! Puts a demo on sale, tells one purchase step by step, and fills a waiting room.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for a terminal"
)]

use std::process::ExitCode;

use e2e::demo::{self, DemoError, Entry, Stage};
use e2e::rest::{Answer, Call, explain};
use mesh::config::EXIT_USAGE;

const HELP: &str = "usher-demo seed   puts the demo show on sale, and one behind a waiting room, unless they are; prints their ids
usher-demo buy    buys two seats through REST and tells every step
usher-demo crowd  lets 5,000 people wait in a room of their own, and one behind them
usher-demo tour   buy, then crowd

All need a running mesh (make run) and read USHER_EDGE_URL, USHER_BOOKING_URL, USHER_PG_SIM_URL, USHER_KEYS_DIR.";

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("seed") => seed().await,
        Some("buy") => buy().await,
        Some("crowd") => crowd().await,
        Some("tour") => tour().await,
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
    let mut tell = |call: &Call, answer: &Answer| {
        println!("{} -> {}", call.title(), answer.status);
    };
    let free = demo::seed(&stage, Entry::Free, &mut tell).await?;
    let queued = demo::seed(&stage, Entry::WaitingRoom, &mut tell).await?;
    println!("show {}", free.show_id);
    println!("queued {}", queued.show_id);
    Ok(())
}

async fn tour() -> Result<(), DemoError> {
    buy().await?;
    crowd().await
}

async fn crowd() -> Result<(), DemoError> {
    demo::crowd(&Stage::set()?, &mut |text: &str| print!("{text}")).await
}

async fn buy() -> Result<(), DemoError> {
    demo::buy(&Stage::set()?, &mut |text: &str| print!("{text}")).await
}
