//! How a process of the mesh begins and ends: arguments, configuration, telemetry, signals, exit code.

use std::error::Error as StdError;
use std::fmt;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::config::{self, EXIT_USAGE, ProcessEnv, Reader, Unreadable, Variable};
use crate::signals;
use crate::status::chain;
use crate::tasks::Tasks;
use crate::telemetry::{Observed, Telemetry};

/// What `--help` says of a process.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Its environment variables.
    pub variables: &'static [&'static [&'static Variable]],
}

/// What a process works with.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Owner of every task.
    pub tasks: Tasks,
    /// Logs and metrics.
    pub telemetry: Telemetry,
    /// Cancelled at the first SIGTERM or SIGINT.
    pub shutdown: CancellationToken,
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}: {}\n", self.name, self.about)?;
        writeln!(
            formatter,
            "It takes no arguments but --help and --version. Environment variables:\n"
        )?;
        for variable in self.variables.iter().copied().flatten() {
            let default = match (variable.required, variable.default) {
                (true, _) => "required".to_owned(),
                (false, Some(default)) => format!("default {default}"),
                (false, None) => "optional".to_owned(),
            };
            writeln!(
                formatter,
                "  {} ({default})\n      {}",
                variable.name, variable.meaning
            )?;
        }
        Ok(())
    }
}

/// Runs a process to its end. Wrong configuration prints every mistake and exits 64; a failure exits 1.
pub fn run<C, E, W>(
    program: &Program,
    read: impl FnOnce(&mut Reader<'_>) -> Result<C, Unreadable>,
    observed: impl FnOnce(&C) -> Observed<'_>,
    work: impl FnOnce(C, Runtime) -> W,
) -> ExitCode
where
    E: StdError + 'static,
    W: Future<Output = Result<(), E>>,
{
    if let Some(argument) = std::env::args().nth(1) {
        return answer(program, &argument);
    }
    let config = match config::load(&ProcessEnv, read) {
        Ok(config) => config,
        Err(mistakes) => return refuse(&format!("{}: {mistakes}", program.name)),
    };
    let Observed { log, otlp } = observed(&config);
    let otlp = otlp.cloned();
    let telemetry = match Telemetry::start(log) {
        Ok(telemetry) => telemetry,
        Err(problem) => return refuse(&format!("{}: {}", program.name, chain(&problem))),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(problem) => {
            error!(error = chain(&problem), "no runtime");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let traces = otlp.map(|endpoint| Telemetry::export(program.name, &endpoint));
        let traces = match traces.transpose() {
            Ok(traces) => traces,
            Err(problem) => return refuse(&format!("{}: {}", program.name, chain(&problem))),
        };
        let tasks = Tasks::new();
        let shutdown = signals::shutdown(&tasks);
        let runtime = Runtime {
            tasks,
            telemetry,
            shutdown,
        };
        let outcome = work(config, runtime).await;
        if let Some(traces) = traces {
            tokio::task::block_in_place(|| traces.end());
        }
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                error!(
                    error = chain(&problem),
                    "{} failed: {}",
                    program.name,
                    chain(&problem)
                );
                ExitCode::FAILURE
            }
        }
    })
}

#[expect(clippy::print_stdout, reason = "help goes to standard output")]
fn answer(program: &Program, argument: &str) -> ExitCode {
    match argument {
        "--help" | "-h" => println!("{program}"),
        "--version" | "-V" => println!("{} {}", program.name, env!("CARGO_PKG_VERSION")),
        _ => {
            return refuse(&format!(
                "{}: no argument {argument:?}; try --help",
                program.name
            ));
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "logging is not configured yet")]
fn refuse(text: &str) -> ExitCode {
    eprintln!("{}", text.trim_end());
    ExitCode::from(EXIT_USAGE)
}
