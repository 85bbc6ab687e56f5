//! B6: claims of coupons first come, first served, before and after they are sold out, and what an order costs with the best of twenty.
//!
//! A claim is measured against the same contract served by a lock around read, check and write; "sold out" against a server of the same
//! layers, policies and messages that knows its answer.

mod callers;
mod quotes;
mod scene;
mod seller;
mod tables;

use super::process::machine;
use super::table::{Row, Series, Table};
use super::{BenchError, Extent, grouped};
use scene::{CONNECTIONS, INSERTS, Scene, Way};

/// The bars, in percent of what they are measured against.
const BEFORE_BAR: f64 = 1_000.0;
const AFTER_BAR: f64 = 60.0;

/// How much is measured. Tokens of all callers fit what a server remembers (20,000), so that none is verified twice: higher limits.
struct Plan {
    /// Calls at once.
    callers: &'static [usize],
    rounds: usize,
    /// People, each of whom claims once in a round.
    people: u32,
    /// Calls of a round of echoes, and of claims that find nothing left.
    calls: usize,
    /// Claims of a round under the lock.
    locked: usize,
    /// Orders.
    quotes: usize,
}

impl Plan {
    const fn of(extent: Extent) -> Self {
        match extent {
            Extent::Full => Self {
                callers: &[64, 256],
                rounds: 5,
                people: 16_384,
                calls: 32_768,
                locked: 1_024,
                quotes: 3_000,
            },
            Extent::Short => Self {
                callers: &[4, 8],
                rounds: 2,
                people: 64,
                calls: 64,
                locked: 16,
                quotes: 20,
            },
        }
    }

    /// Coupons of a campaign: more than people, so that a round does not sell it out.
    const fn stock(&self) -> u32 {
        self.people / 2 * 3
    }
}

/// Runs it.
pub(super) async fn run(extent: Extent) -> Result<Table, BenchError> {
    let plan = Plan::of(extent);
    let mut table = Table {
        title: "B6: claims of coupons".to_owned(),
        size: "callers",
        ..Table::default()
    };
    let scene = Scene::set(&plan).await?;
    let sync = scene.stage.sync_time()?.as_secs_f64() * 1_000.0;
    table.notes.push(format!(
        "{}, Redis {}, {}, everything on one machine; a small write forced to disk takes {sync:.2} ms (median).",
        machine()?,
        scene.stage.redis_version,
        scene.tables.version().await?
    ));
    let mut measured = Vec::new();
    for callers in plan.callers {
        measured.push((*callers, take_turns(&plan, &scene, *callers).await?));
    }
    rows(&scene, measured, &mut table)?;
    let quotes = quotes::measure(&scene, plan.quotes).await?;
    table.rows.push(Row {
        size: "1".to_owned(),
        figure: "**QuoteBest of 20 coupons**",
        series: quotes.series,
        limit: None,
        bar: None,
        peaks: scene.peaks(Way::Claim)?,
    });
    table.notes.push(quotes.told);
    table.notes.push(scene.answers_are_alike().await?);
    table.notes.push(explained(&plan));
    table.notes.push(format!(
        "Claims under the lock that were not answered within the deadline of the method, 3 s, of {}: {}.",
        grouped_len(plan.locked * plan.rounds * plan.callers.len()),
        scene.gave_up()
    ));
    Ok(table)
}

/// Rounds of each way in turn.
async fn take_turns(
    plan: &Plan,
    scene: &Scene,
    callers: usize,
) -> Result<[Series; Way::ALL.len()], BenchError> {
    let mut all: [Series; Way::ALL.len()] = std::array::from_fn(|_| Series::default());
    for _ in 0..plan.rounds {
        for (way, series) in Way::ALL.into_iter().zip(&mut all) {
            let campaign_id = scene.prepare(way).await?;
            let before = scene.used(way)?;
            let round = scene.round(way, plan, callers, campaign_id).await?;
            let after = scene.used(way)?;
            series.rounds.push(round);
            for ((used, after), before) in series.used.iter_mut().zip(after).zip(before) {
                *used += after - before;
            }
            scene.clean_up(way, campaign_id).await?;
        }
    }
    Ok(all)
}

/// Claims are compared with the better of the locks, whatever the number of callers; the rest with the same number.
fn rows(
    scene: &Scene,
    measured: Vec<(usize, [Series; Way::ALL.len()])>,
    table: &mut Table,
) -> Result<(), BenchError> {
    let find = |all: &[Series], way: Way| {
        let found = Way::ALL.into_iter().zip(all).find(|(one, _)| *one == way);
        found.map_or(0.0, |(_, series)| series.per_second())
    };
    let locks = measured.iter().map(|(_, all)| find(all, Way::Locked));
    let lock = locks.fold(0.0, f64::max);
    for (callers, all) in measured {
        let echo = find(&all, Way::EchoSoldOut);
        for (way, series) in Way::ALL.into_iter().zip(all) {
            let (limit, bar) = match way {
                Way::Claim => (Some(("lock", lock)), Some(BEFORE_BAR)),
                Way::SoldOut => (Some(("echo", echo)), Some(AFTER_BAR)),
                _ => (None, None),
            };
            table.rows.push(Row {
                size: callers.to_string(),
                figure: way.name(),
                series,
                limit,
                bar,
                peaks: scene.peaks(way)?,
            });
        }
    }
    Ok(())
}

fn explained(plan: &Plan) -> String {
    format!(
        "Closed loop over {CONNECTIONS} connections; {} rounds of each row, in turn. A round of claims: {} people, a new campaign of {} \
         coupons, all of them counted in Postgres afterwards; what the outbox has left to send is sent before the next round. After the sale: a \
         campaign of as many coupons, and people who got none. The lock keeps one row of stock and no events. INSERT: {INSERTS} rows a \
         statement on one connection into a copy of the table, with its indexes. Ratios are of medians. Logs have warnings only, and every token \
         was seen before: both make the limits higher.",
        plan.rounds,
        grouped(plan.people),
        grouped(plan.stock())
    )
}

fn grouped_len(number: usize) -> String {
    grouped(u32::try_from(number).unwrap_or(u32::MAX))
}
