//! Checks a draw: recomputes every rank from the seed that was published.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use queue_svc::domain::lane::Lane;
use queue_svc::domain::lottery::{Seed, commitment, ranks};
use serde::Deserialize;

/// Checks of draws.
#[derive(Parser)]
#[command(name = "usher-lottery", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Recomputes every rank of a draw from what GET /v1/shows/{show_id}/queue/lottery answered: tells whether the seed is the one that was
    /// promised, and the rank of an entry. Ends with 1 when something does not hold.
    ///
    /// A rank is the place among all entries; people who left or stayed away are passed over, so that a position may be smaller.
    Audit {
        /// The answer as JSON; standard input where none is given.
        file: Option<PathBuf>,
        /// The commitment as it was told before the draw; without it the one in the answer counts.
        #[arg(long)]
        commitment: Option<String>,
        /// Lane of --entry.
        #[arg(long, value_enum, default_value = "general")]
        lane: LaneName,
        /// Number of an entry, from 1, as it was told to whoever entered.
        #[arg(long)]
        entry: Option<u32>,
        /// Prints every rank: lane,entry,rank.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LaneName {
    General,
    Presale,
    Access,
}

impl LaneName {
    const fn lane(self) -> Lane {
        match self {
            Self::General => Lane::General,
            Self::Presale => Lane::Presale,
            Self::Access => Lane::Access,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    lottery: Told,
}

#[derive(Deserialize)]
struct Told {
    commitment: String,
    #[serde(default)]
    seed: String,
    #[serde(default)]
    lanes: Vec<ToldLane>,
}

#[derive(Deserialize)]
struct ToldLane {
    lane: String,
    #[serde(default)]
    entries: String,
}

fn main() -> ExitCode {
    let Command::Audit {
        file,
        commitment,
        lane,
        entry,
        all,
    } = Arguments::parse().command;
    let asked = entry.map(|entry| (lane.lane(), entry));
    match audit(file, commitment.as_deref(), asked, all) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "usher-lottery: {problem}"); // nowhere else to tell it
            ExitCode::FAILURE
        }
    }
}

fn audit(
    file: Option<PathBuf>,
    promised: Option<&str>,
    asked: Option<(Lane, u32)>,
    all: bool,
) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    match file {
        Some(path) => text = fs::read_to_string(path)?,
        None => {
            io::stdin().read_to_string(&mut text)?;
        }
    }
    let told = serde_json::from_str::<Answer>(&text)?.lottery;
    if told.seed.is_empty() {
        return Err("the draw was not held yet: its seed is secret".into());
    }
    let seed = seed_of(&told.seed)?;
    let promised = promised.unwrap_or(&told.commitment);
    if hex(&commitment(&seed)) != promised.to_lowercase() {
        return Err(format!("the seed is not the one of the commitment {promised}").into());
    }
    let mut out = io::stdout().lock();
    if !all {
        writeln!(out, "seed: SHA-256 is the commitment {promised}")?;
    }
    for told in &told.lanes {
        let lane = lane_of(&told.lane)?;
        let entries: u32 = if told.entries.is_empty() {
            0
        } else {
            told.entries.parse()?
        };
        let ranks = ranks(&seed, lane, entries);
        let different: BTreeSet<u32> = ranks.iter().copied().collect();
        if different.len() != ranks.len() {
            return Err(format!("{}: two entries have one rank", told.lane).into());
        }
        if all {
            for (entry, rank) in (1_u64..).zip(&ranks) {
                writeln!(out, "{},{entry},{}", told.lane, u64::from(*rank) + 1)?;
            }
            continue;
        }
        writeln!(
            out,
            "{}: {entries} entries, each has a rank of its own",
            told.lane
        )?;
        if let Some((_, entry)) = asked.filter(|(of, _)| *of == lane) {
            let index = usize::try_from(entry)?.checked_sub(1);
            let rank = index.and_then(|index| ranks.get(index));
            let rank = rank.ok_or(format!("{} has no entry {entry}: 1..{entries}", told.lane))?;
            writeln!(
                out,
                "{} entry {entry}: rank {}",
                told.lane,
                u64::from(*rank) + 1
            )?;
        }
    }
    Ok(())
}

fn lane_of(name: &str) -> Result<Lane, String> {
    match name {
        "LANE_GENERAL" => Ok(Lane::General),
        "LANE_PRESALE" => Ok(Lane::Presale),
        "LANE_ACCESS" => Ok(Lane::Access),
        other => Err(format!("{other} is no lane of a draw")),
    }
}

fn seed_of(text: &str) -> Result<Seed, String> {
    let wrong = || format!("the seed {text} is not 64 hexadecimal digits");
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    bytes
        .and_then(|bytes| Seed::try_from(bytes).ok())
        .ok_or_else(wrong)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
