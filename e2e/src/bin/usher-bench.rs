//! Measures the mesh beside limits of the same machine.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for a terminal"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use e2e::bench::{self, Extent};
use e2e::rest::explain;
use tokio::signal::unix::{SignalKind, signal};

/// Measures the mesh beside limits of the same machine, on the servers of a stack (`make bench` starts one). Prints tables and keeps them.
#[derive(Parser)]
#[command(name = "usher-bench", version)]
struct Arguments {
    /// A few calls of each kind: whether it works, not how fast.
    #[arg(long)]
    short: bool,
    /// Folder of the tables.
    #[arg(long, default_value = "bench")]
    out: PathBuf,
    /// Which ones; all of them by default.
    names: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let extent = if arguments.short {
        Extent::Short
    } else {
        Extent::Full
    };
    let mut tell = |text: &str| println!("{text}");
    // A signal drops the bench, and with it every process that it started.
    let Ok(mut end) = signal(SignalKind::terminate()) else {
        eprintln!("usher-bench: signals cannot be received");
        return ExitCode::FAILURE;
    };
    let outcome = tokio::select! {
        outcome = bench::run(extent, &arguments.names, &arguments.out, &mut tell) => outcome,
        _ = tokio::signal::ctrl_c() => return ExitCode::FAILURE,
        _ = end.recv() => return ExitCode::FAILURE,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("usher-bench: {}", explain(&problem));
            ExitCode::FAILURE
        }
    }
}
