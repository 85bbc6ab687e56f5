//! B5: joining a line, and polling in it, at three lengths of the line.
//!
//! Poll is measured against a server of the same layers, policies and messages that knows its answer; Join against the lower of that and the
//! function of the line, called one at a time.

mod callers;
mod room;
mod scene;

use super::process::machine;
use super::table::{Row, Series, Table};
use super::{BenchError, Extent, grouped};
use scene::{CALLERS, CONNECTIONS, Scene, Way};

/// The bars, in percent of the limits.
const JOIN_BAR: f64 = 50.0;
const POLL_BAR: f64 = 70.0;
/// Redis for a million people.
const MB_PER_MILLION: f64 = 25.0;

/// How much is measured. Tokens of all callers fit what a server remembers (20,000), so that none is verified twice: higher limits.
struct Plan {
    sizes: &'static [u32],
    rounds: usize,
    /// People who poll, and calls of a round.
    pollers: u32,
    polls: usize,
    /// People who join in a round and are forgotten after it.
    joiners: u32,
}

impl Plan {
    const fn of(extent: Extent) -> Self {
        match extent {
            Extent::Full => Self {
                sizes: &[10_000, 100_000, 1_000_000],
                rounds: 15,
                pollers: 4_096,
                polls: 49_152,
                joiners: 8_192,
            },
            Extent::Short => Self {
                sizes: &[300, 400, 500],
                rounds: 2,
                pollers: 32,
                polls: 64,
                joiners: 64,
            },
        }
    }
}

/// Runs it.
pub(super) async fn run(extent: Extent) -> Result<Table, BenchError> {
    let plan = Plan::of(extent);
    let mut table = Table {
        title: "B5: queue join and poll".to_owned(),
        size: "waiting",
        ..Table::default()
    };
    for size in plan.sizes {
        measure(&plan, *size, &mut table).await?;
    }
    table.notes.push(format!(
        "Closed loop: {CALLERS} callers over {CONNECTIONS} connections; {} rounds of each row, in turn; a round of joins is {} people whom the line \
         does not know. Ratios are of medians. Logs have warnings only, and every token was seen before: both make the limits higher.",
        plan.rounds, plan.joiners
    ));
    table.notes.push(
        "Service: of an echo it is the echo, of the join script queue-svc, which looks after the room meanwhile. Load: the bench, on the same cores."
            .to_owned(),
    );
    Ok(table)
}

async fn measure(plan: &Plan, size: u32, table: &mut Table) -> Result<(), BenchError> {
    let scene = Scene::set(plan, size).await?;
    if table.notes.is_empty() {
        let sync = scene.stage.sync_time()?.as_secs_f64() * 1_000.0;
        table.notes.push(format!(
            "{}, Redis {}, everything on one machine; a small write forced to disk takes {sync:.2} ms (median).",
            machine()?,
            scene.stage.redis_version
        ));
    }
    let memory = scene.room.memory(&scene.stage.redis).await?;
    table.notes.push(told_of(size, memory));
    let polls = take_turns(plan, &scene, [Way::EchoPoll, Way::Poll]).await?;
    let joins = [Way::EchoJoin, Way::JoinOne, Way::JoinMany, Way::Join];
    let joins = take_turns(plan, &scene, joins).await?;
    table.notes.push(beyond_echoes(
        size,
        [&polls[0], &polls[1]],
        [&joins[0], &joins[3]],
    ));
    let echo = polls[0].per_second();
    let echo_of_join = ("echo", joins[0].per_second());
    let script = ("script", joins[1].per_second());
    let lower = if script.1 < echo_of_join.1 {
        script
    } else {
        echo_of_join
    };
    for (way, series) in Way::ALL.into_iter().zip(polls.into_iter().chain(joins)) {
        let (limit, bar) = match way {
            Way::Poll => (Some(("echo", echo)), Some(POLL_BAR)),
            Way::Join => (Some(lower), Some(JOIN_BAR)),
            _ => (None, None),
        };
        table.rows.push(Row {
            size: grouped(size),
            figure: way.name(),
            series,
            limit,
            bar,
            peaks: scene.peaks(way)?,
        });
    }
    table.notes.push(scene.answers_are_alike().await?);
    scene.room.forget(&scene.stage.redis).await
}

/// Rounds of each way in turn.
async fn take_turns<const N: usize>(
    plan: &Plan,
    scene: &Scene,
    ways: [Way; N],
) -> Result<[Series; N], BenchError> {
    let mut all: [Series; N] = std::array::from_fn(|_| Series::default());
    for _ in 0..plan.rounds {
        for (way, series) in ways.into_iter().zip(&mut all) {
            let before = scene.used(way)?;
            let round = scene.round(way, plan.polls).await?;
            let after = scene.used(way)?;
            series.rounds.push(round);
            for ((used, after), before) in series.used.iter_mut().zip(after).zip(before) {
                *used += after - before;
            }
            scene.clean_up(way).await?;
        }
    }
    Ok(all)
}

/// The load generator shares the cores, so that ratios of calls a second say less than those of what the service itself used.
fn beyond_echoes(size: u32, polls: [&Series; 2], joins: [&Series; 2]) -> String {
    let beyond = |[echo, real]: [&Series; 2]| {
        let [[echo, ..], [real, ..]] = [echo, real].map(Series::used_per_thousand);
        (real - echo) * 1_000.0
    };
    format!(
        "With {} waiting the service uses {:.1} microseconds of processor time more than the echo for a poll, {:.1} for a join.",
        grouped(size),
        beyond(polls),
        beyond(joins)
    )
}

fn told_of(size: u32, (keys, bytes): (usize, u32)) -> String {
    let each = f64::from(bytes) / f64::from(size);
    let verdict = if each <= MB_PER_MILLION {
        "met"
    } else {
        "MISSED"
    };
    format!(
        "Redis holds {} waiting in {:.2} MB of {keys} keys: {each:.1} bytes each; {MB_PER_MILLION} MB a million: {verdict}.",
        grouped(size),
        f64::from(bytes) / 1e6,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_line_that_costs_more_for_each_is_told() {
        assert!(
            told_of(1_000_000, (3, 20_000_000)).ends_with("20.0 bytes each; 25 MB a million: met.")
        );
        assert!(told_of(10, (3, 2_000)).ends_with("MISSED."));
    }
}
