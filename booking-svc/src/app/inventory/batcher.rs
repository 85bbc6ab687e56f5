//! The loop around the batches.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use mesh::pg::{Database, TxError};
use mesh::status::chain;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use super::batch::{self, Item, Outcome};
use super::{BATCH_MAX, Failure, InventoryOptions, Job};
use crate::domain::hold::{UnitKey, buyer};
use crate::domain::inventory::{Command, Rejection};
use crate::store::holds;

/// Overdue holds reclaimed for the commands of one batch: as many as a batch can take in front of them.
const RECLAIM_MAX: i64 = 200;

/// Collects and commits until told to stop, then answers what is still waiting.
pub(super) async fn run(
    database: Database,
    options: InventoryOptions,
    waiting: Arc<Mutex<mpsc::Receiver<Job>>>,
    stop: CancellationToken,
) {
    let mut waiting = waiting.lock().await;
    let mut again: VecDeque<Job> = VecDeque::new();
    loop {
        let mut jobs: Vec<Job> = Vec::with_capacity(BATCH_MAX);
        while jobs.len() < BATCH_MAX
            && let Some(job) = again.pop_front().or_else(|| waiting.try_recv().ok())
        {
            jobs.push(job);
        }
        if jobs.is_empty() {
            tokio::select! {
                biased;
                job = waiting.recv() => match job {
                    Some(job) => again.push_back(job),
                    None => return,
                },
                () = stop.cancelled() => return,
            }
            continue;
        }
        commit(&database, options, jobs, &mut again).await;
    }
}

async fn commit(
    database: &Database,
    options: InventoryOptions,
    jobs: Vec<Job>,
    again: &mut VecDeque<Job>,
) {
    metrics::histogram!("usher_inventory_batch_commands").record(count(jobs.len()));
    match transact(database, options, &jobs).await {
        Ok(outcomes) => answer(database, jobs, outcomes, again).await,
        // One pool is locked, not all: who does not need it must not wait for it.
        Err(problem @ (TxError::LockTimeout | TxError::Conflict)) => {
            let mut groups = by_pools(database, jobs).await;
            if groups.len() == 1
                && let Some(group) = groups.pop()
            {
                return refuse(group, &problem, again);
            }
            for group in groups {
                together(database, options, group, again).await;
            }
        }
        Err(TxError::Database(problem)) if jobs.len() > 1 => {
            // The decider let something through that the database did not. Alone, each command tells which.
            error!(
                error = chain(&problem),
                "a batch of {} was refused by the database",
                jobs.len()
            );
            metrics::counter!("usher_inventory_batch_refused_total").increment(1);
            for job in jobs {
                together(database, options, vec![job], again).await;
            }
        }
        Err(problem) => refuse(jobs, &problem, again),
    }
}

async fn together(
    database: &Database,
    options: InventoryOptions,
    jobs: Vec<Job>,
    again: &mut VecDeque<Job>,
) {
    match transact(database, options, &jobs).await {
        Ok(outcomes) => answer(database, jobs, outcomes, again).await,
        Err(problem) => refuse(jobs, &problem, again),
    }
}

/// Jobs that lock the same pools, in order of arrival.
async fn by_pools(database: &Database, jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let hold_ids: Vec<Uuid> = jobs.iter().map(|job| job.command.hold_id()).collect();
    let read = database.read(async move |connection| holds::pools_of(connection, &hold_ids).await);
    let pools_of_holds = match read.await {
        Ok(pools) => pools,
        Err(problem) => {
            error!(error = chain(&problem), "the pools of holds cannot be read");
            Vec::new()
        }
    };
    let mut groups: Vec<(BTreeSet<Uuid>, Vec<Job>)> = Vec::new();
    for job in jobs {
        let hold_id = job.command.hold_id();
        let known = pools_of_holds.iter().filter(|(hold, _)| *hold == hold_id);
        let mut pools: BTreeSet<Uuid> = known.map(|(_, pool_id)| *pool_id).collect();
        if let Command::Hold(hold) = &job.command {
            pools.extend(hold.wishes.iter().map(|wish| wish.unit.pool_id));
        }
        match groups.iter_mut().find(|(key, _)| *key == pools) {
            Some((_, group)) => group.push(job),
            None => groups.push((pools, vec![job])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn refuse(jobs: Vec<Job>, problem: &TxError<Infallible>, again: &mut VecDeque<Job>) {
    for job in jobs {
        // Another instance made a hold of the same id meanwhile: the next try finds it.
        if problem.constraint() == Some("hold_pkey") && !job.second_try {
            again.push_back(Job {
                second_try: true,
                ..job
            });
        } else {
            let _ = job.answer.send(Err(failure(problem))); // the caller may have gone
        }
    }
}

async fn transact(
    database: &Database,
    options: InventoryOptions,
    jobs: &[Job],
) -> Result<Vec<Outcome>, TxError<Infallible>> {
    let items = jobs.iter().map(|job| Item {
        command: job.command.clone(),
        rider: job.rider.clone(),
        trace: job.trace,
    });
    let items: Arc<[Item]> = items.collect();
    database
        .transaction("inventory batch", async move |connection| {
            batch::run(connection, &items, options).await
        })
        .await
}

/// Answers what is settled. What was refused for want of units comes again, once, behind the reclaim of what is overdue.
async fn answer(
    database: &Database,
    jobs: Vec<Job>,
    outcomes: Vec<Outcome>,
    again: &mut VecDeque<Job>,
) {
    let mut refused: Vec<(Job, Rejection)> = Vec::new();
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        let reply = match outcome {
            Outcome::Done(hold) => Ok(hold),
            Outcome::Fenced => Err(Failure::Fenced),
            Outcome::Rejected(rejection) if rejection.may_yield() && !job.second_try => {
                refused.push((job, rejection));
                continue;
            }
            Outcome::Rejected(rejection) => Err(Failure::Rejected(rejection)),
        };
        let _ = job.answer.send(reply);
    }
    if refused.is_empty() {
        return;
    }
    let overdue = overdue(database, &refused).await;
    if overdue.is_empty() {
        for (job, rejection) in refused {
            let _ = job.answer.send(Err(Failure::Rejected(rejection)));
        }
        return;
    }
    for hold_id in overdue {
        let (answer, _) = oneshot::channel();
        let command = Command::Expire { hold_id };
        again.push_back(Job {
            command,
            rider: None,
            trace: None,
            second_try: true,
            answer,
        });
    }
    again.extend(refused.into_iter().map(|(job, _)| Job {
        second_try: true,
        ..job
    }));
}

/// Overdue holds that stand in the way of the refused commands. When they cannot be read the refusals stand.
async fn overdue(database: &Database, refused: &[(Job, Rejection)]) -> Vec<Uuid> {
    let mut units: BTreeSet<UnitKey> = BTreeSet::new();
    let mut buyers: BTreeSet<String> = BTreeSet::new();
    for (job, rejection) in refused {
        match (rejection, &job.command) {
            (Rejection::UnitsTaken(taken), _) => units.extend(taken.iter().map(|(unit, _)| *unit)),
            (Rejection::BuyerCapReached { .. }, Command::Hold(hold)) => {
                buyers.insert(buyer(hold.account_id, hold.buyer_reference.as_deref()));
            }
            _ => {}
        }
    }
    let (units, buyers): (Vec<_>, Vec<_>) =
        (units.into_iter().collect(), buyers.into_iter().collect());
    let read = database.read(async move |connection| {
        holds::overdue_in_the_way(connection, &units, &buyers, RECLAIM_MAX).await
    });
    match read.await {
        Ok(overdue) => overdue,
        Err(problem) => {
            error!(error = chain(&problem), "overdue holds cannot be read");
            Vec::new()
        }
    }
}

fn failure(problem: &TxError<Infallible>) -> Failure {
    match problem {
        TxError::Refused(never) => match *never {},
        TxError::LockTimeout | TxError::Conflict => Failure::PoolBusy,
        TxError::Busy | TxError::Unavailable => Failure::Unavailable,
        TxError::Unknown => Failure::Unknown,
        TxError::Database(source) => {
            error!(
                error = chain(source),
                "a command was refused by the database: {}",
                chain(source)
            );
            metrics::counter!("usher_inventory_alarms_total").increment(1);
            Failure::Fault
        }
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a batch has at most 256 commands"
)]
fn count(length: usize) -> f64 {
    length as f64
}
