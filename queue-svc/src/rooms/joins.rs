//! Joins are given to the line together: while one call is under way, whoever comes waits for the next.

use std::sync::Arc;
use std::time::Duration;

use mesh::pg::{Connection, Database};
use mesh::status::chain;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Live;
use crate::domain::lane::Lane;
use crate::line::{Joiner, LineError, Standing, Told};
use crate::store;

/// Joins of one call: about 3 ms of Redis.
const BATCH_MAX: usize = 256;
/// Joins that wait for the next call: about half a second of them. More are told to come back.
const WAITING_MAX: usize = 20_000;
/// Numbers that are taken from Postgres at once: a second of the fastest line.
pub(super) const BLOCK: u64 = 65_536;

/// Why nobody was given a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JoinError {
    /// Too many come at once.
    #[error("too many people join at once")]
    Busy,
    /// Redis, or Postgres for new numbers, does not answer, or the room recovers.
    #[error("the line does not answer")]
    Unavailable,
}

#[derive(Debug)]
pub(super) struct Job {
    joiner: Joiner,
    answer: oneshot::Sender<Result<(Told, u64), JoinError>>,
}

/// The way in.
#[derive(Clone, Debug)]
pub(super) struct Joins(mpsc::Sender<Job>);

pub(super) fn channel() -> (Joins, mpsc::Receiver<Job>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Joins(sender), receiver)
}

impl Joins {
    pub(super) async fn submit(&self, joiner: Joiner) -> Result<(Told, u64), JoinError> {
        let (answer, told) = oneshot::channel();
        let job = Job { joiner, answer };
        self.0.try_send(job).map_err(|_| JoinError::Busy)?;
        told.await.unwrap_or(Err(JoinError::Unavailable))
    }
}

/// Gives joins to the line until told to stop.
pub(super) async fn run(
    live: Arc<Live>,
    mut waiting: mpsc::Receiver<Job>,
    database: Database,
    stop: CancellationToken,
) {
    let mut jobs: Vec<Job> = Vec::with_capacity(BATCH_MAX);
    loop {
        tokio::select! {
            biased;
            count = waiting.recv_many(&mut jobs, BATCH_MAX) => if count == 0 {
                return;
            },
            () = stop.cancelled() => return,
        }
        let batch = std::mem::take(&mut jobs);
        metrics::histogram!("usher_queue_join_batch_people").record(batch_size(batch.len()));
        if let Some((lane, again)) = give(&live, batch).await {
            let again = match reserve(&live, &database, lane).await {
                Ok(()) => give(&live, again).await.map(|(_, again)| again),
                Err(()) => Some(again),
            };
            for job in again.into_iter().flatten() {
                let _ = job.answer.send(Err(JoinError::Unavailable)); // the caller may have gone
            }
        }
    }
}

/// One call. Answers those for whom there was no number, and the lane that has none.
async fn give(live: &Live, jobs: Vec<Job>) -> Option<(Lane, Vec<Job>)> {
    let joiners: Vec<Joiner> = jobs.iter().map(|job| job.joiner).collect();
    let room = live.room();
    let (generation, waiting_max) = (room.generation, live.waiting_max());
    let told = match live.line().join(generation, waiting_max, &joiners).await {
        Ok((_, told)) => told,
        Err(error) => {
            warn!(
                error = chain(&error),
                "people cannot join: {}",
                chain(&error)
            );
            live.suspect(&error);
            for job in jobs {
                let _ = job.answer.send(Err(JoinError::Unavailable)); // the caller may have gone
            }
            return None;
        }
    };
    live.woken();
    let mut exhausted: Option<Lane> = None;
    let mut again: Vec<Job> = Vec::new();
    for (job, told) in jobs.into_iter().zip(told) {
        metrics::counter!("usher_queue_joins_total", "told" => told.standing.name()).increment(1);
        if let Standing::Exhausted(lane) = told.standing {
            exhausted.get_or_insert(lane);
            again.push(job);
        } else {
            let _ = job.answer.send(Ok((told, generation))); // the caller may have gone
        }
    }
    exhausted.map(|lane| (lane, again))
}

/// Longest wait for more numbers: people behind wait, too. What Postgres does after that is a block that nobody uses.
const RESERVE_MAX: Duration = Duration::from_secs(1);

/// Takes more numbers of a lane: from Postgres first, which never gives them to anybody else.
pub(super) async fn reserve(live: &Live, database: &Database, lane: Lane) -> Result<(), ()> {
    let taken = tokio::time::timeout(RESERVE_MAX, take(live, database, lane)).await;
    taken.unwrap_or_else(|_| {
        warn!("numbers are not reserved in time");
        Err(())
    })
}

async fn take(live: &Live, database: &Database, lane: Lane) -> Result<(), ()> {
    let room = live.room();
    let (show_id, generation) = (room.show_id, room.generation);
    let work = async move |connection: &mut Connection| {
        Ok(store::rooms::reserve(connection, show_id, generation, lane, BLOCK).await?)
    };
    let taken = database.transaction::<_, std::convert::Infallible, _>("reserve numbers", work);
    let block = taken.await.map_err(|error| {
        warn!(
            error = chain(&error),
            "no numbers can be reserved: {}",
            chain(&error)
        );
    })?;
    let Some(block) = block else {
        live.changed.notify_one();
        return Err(());
    };
    let reserved = live.line().reserve(generation, lane, block.end).await;
    reserved.map_err(|error: LineError| {
        warn!(
            error = chain(&error),
            "numbers cannot be handed over: {}",
            chain(&error)
        );
        live.suspect(&error);
    })
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a batch has at most 256 people"
)]
fn batch_size(length: usize) -> f64 {
    length as f64
}
