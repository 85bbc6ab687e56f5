//! `make bench`: figures of the mesh beside limits that are measured in the same run on the same machine.
//!
//! A bench measures in rounds that take turns with those of its limits, so that whatever else the machine does falls on both; what it prints
//! is the ratio of medians.

mod answers;
mod claims;
pub mod echo;
mod load;
pub mod locked;
mod process;
mod queue;
mod stage;
mod table;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use mesh::identity::KeyError;
use mesh::pg::testing::TestDatabaseError;
use mesh::pg::{ConnectError, TxError};
use mesh::redis::{CallError, OpenError};
use queue_svc::credentials::KeysError;
use queue_svc::line::LineError;
use thiserror::Error;
use tonic::Status;

pub use table::Table;

/// Why a bench has no figures.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A variable of the stack is not set.
    #[error(
        "{0} is not set: run `make bench`, or `dev/stack up --name bench` and `. .run/bench/env`"
    )]
    NoStack(&'static str),
    /// No such bench.
    #[error("there is no bench {0}; there are: {names}", names = names().join(", "))]
    Unknown(String),
    /// A file or a process.
    #[error("{0}")]
    Io(String, #[source] io::Error),
    /// A process does not serve.
    #[error("{name} does not serve; its log is {log}")]
    NotServing {
        /// Which.
        name: String,
        /// Where it says why.
        log: PathBuf,
    },
    /// The database of the bench.
    #[error(transparent)]
    Database(#[from] TestDatabaseError),
    /// No database.
    #[error("the database cannot be opened")]
    Connect(#[from] ConnectError),
    /// What a bench asks the database itself.
    #[error("the database does not answer")]
    Query(#[from] TxError<Infallible>),
    /// A key of tokens.
    #[error("no key of access tokens")]
    Tokens(#[from] KeyError),
    /// The keys of tickets.
    #[error("no key of tickets")]
    Tickets(#[from] KeysError),
    /// The URL of Redis.
    #[error(transparent)]
    RedisUrl(#[from] OpenError),
    /// Redis.
    #[error(transparent)]
    Redis(#[from] CallError),
    /// The line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A call under load was refused: figures of refusals are no figures.
    #[error("a call of {0} failed")]
    Call(&'static str, #[source] Box<Status>),
    /// What should be the same is not.
    #[error("{0}")]
    Contradiction(String),
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// As the published tables.
    Full,
    /// A few calls of each kind: whether it works.
    Short,
}

type Running = Pin<Box<dyn Future<Output = Result<Table, BenchError>>>>;

/// One bench.
struct Bench {
    name: &'static str,
    run: fn(Extent) -> Running,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "B5",
        run: |extent| Box::pin(queue::run(extent)),
    },
    Bench {
        name: "B6",
        run: |extent| Box::pin(claims::run(extent)),
    },
];

fn names() -> Vec<&'static str> {
    BENCHES.iter().map(|bench| bench.name).collect()
}

/// Runs the benches of `only`, all of them when it is empty; writes each table into `folder` and hands it to `tell`.
pub async fn run(
    extent: Extent,
    only: &[String],
    folder: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<(), BenchError> {
    for name in only {
        if !names().contains(&name.as_str()) {
            return Err(BenchError::Unknown(name.clone()));
        }
    }
    let write = |path: &Path, text: &str| {
        let made = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
        made.map_err(|error| BenchError::Io(format!("{} cannot be written", path.display()), error))
    };
    for bench in BENCHES {
        if !only.is_empty() && !only.iter().any(|name| name == bench.name) {
            continue;
        }
        let text = (bench.run)(extent).await?.to_string();
        tell(&text);
        write(&folder.join(format!("{}.md", bench.name)), &text)?;
    }
    Ok(())
}

/// A refusal under load is no figure.
fn failed(call: &'static str) -> impl FnOnce(Status) -> BenchError {
    move |status| BenchError::Call(call, Box::new(status))
}

/// 1,000,000
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let told = [1, 999, 1_000, 1_000_000].map(grouped);
        assert_eq!(told, ["1", "999", "1,000", "1,000,000"]);
    }
}
