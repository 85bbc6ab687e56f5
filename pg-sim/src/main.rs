//! Starts the simulator: telemetry, configuration, listen, serve until a signal.

use std::error::Error;
use std::process::ExitCode;

use mesh::config::{EXIT_USAGE, ProcessEnv};
use mesh::telemetry::Telemetry;
use pg_sim::{Simulator, config::Config, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

#[tokio::main]
async fn main() -> ExitCode {
    let config = match Config::from_env(&ProcessEnv) {
        Ok(config) => config,
        Err(mistakes) => {
            eprint!("pg-sim: {mistakes}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pg-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> Result<(), Box<dyn Error>> {
    let _telemetry = Telemetry::start(&config.log)?;
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    info!(%address, "the payment simulator answers on http://{address}");
    if let Some(file) = &config.addr_file {
        tokio::fs::write(file, format!("listen={address}\n")).await?;
    }
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(listener, Simulator::new(&config), shutdown).await?;
    Ok(())
}
