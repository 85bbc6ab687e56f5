//! Starts the simulator: configuration, telemetry, listen, serve until a signal.

use std::io;
use std::process::ExitCode;

use mesh::process::{Program, Runtime, run};
use mesh::telemetry::Observed;
use pg_sim::config::{Config, VARIABLES};
use pg_sim::{Simulator, serve};
use tokio::net::TcpListener;
use tracing::info;

const PROGRAM: Program = Program {
    name: "pg-sim",
    about: "a payment gateway simulator in the Toss shape",
    variables: &[VARIABLES],
};

fn main() -> ExitCode {
    run(&PROGRAM, Config::read, observed, start)
}

fn observed(config: &Config) -> Observed<'_> {
    Observed {
        log: &config.log,
        otlp: None,
    }
}

async fn start(config: Config, runtime: Runtime) -> io::Result<()> {
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    info!(%address, "the payment simulator answers on http://{address}");
    if let Some(file) = &config.addr_file {
        tokio::fs::write(file, format!("listen={address}\n")).await?;
    }
    serve(
        listener,
        Simulator::new(&config),
        runtime.shutdown.cancelled_owned(),
    )
    .await
}
