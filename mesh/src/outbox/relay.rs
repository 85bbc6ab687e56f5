//! The relay: reads the outbox, publishes, deletes what the broker confirmed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::lease::Leases;
use super::rows::{self, BATCH, Resting, Row};
use crate::amqp::{Outcome, Publisher, Unpublished};
use crate::events::Events;
use crate::faults::Faults;
use crate::pg::{Database, TxError};
use crate::status::chain;
use crate::tasks::Tasks;
use crate::timings::Timings;

/// Longest wait for the confirms of a batch; the end of the lease cuts it shorter.
const CONFIRM_LIMIT: Duration = Duration::from_secs(5);

/// What a relay works with.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// Where the outbox is; its background pool is used.
    pub database: Database,
    /// The way to the broker.
    pub publisher: Publisher,
    /// Routes of the contracts.
    pub events: &'static Events,
    /// Name of the service; source of its events.
    pub service: String,
    /// Owner of leases: service name and UUIDv7 of the boot.
    pub owner: String,
    /// Polls, leases, ladders.
    pub timings: Timings,
    /// Fault points of tests: `outbox/read`, `outbox/confirmed`.
    pub faults: Faults,
}

/// Tells the relay of this process that something was committed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Waker {
    notify: Arc<Notify>,
}

impl Waker {
    /// Call it after a commit that appended. Cheap; many calls make one round.
    pub fn wake(&self) {
        self.notify.notify_one();
    }
}

/// Publishes the outbox of one database, together with the relays of other instances.
#[derive(Debug)]
pub struct Relay {
    options: RelayOptions,
    database: Database,
    waker: Waker,
}

#[derive(Debug, Error)]
enum RelayError {
    #[error("the outbox cannot be read or written")]
    Database(#[from] TxError<Infallible>),
    #[error(transparent)]
    Broker(#[from] Unpublished),
}

/// What a round found.
enum Round {
    /// A full batch: more waits.
    Full,
    /// Some rows.
    Some,
    /// None.
    Empty,
}

impl Relay {
    /// Starts the relay; it lives as long as the process. Wake it through the answer.
    #[must_use]
    pub fn start(options: RelayOptions, tasks: &Tasks) -> Waker {
        let waker = Waker::default();
        let relay = Arc::new(Self {
            database: options.database.background(),
            options,
            waker: waker.clone(),
        });
        let gauges = Arc::clone(&relay);
        tasks.keep_running("outbox gauges", move |stop| {
            let relay = Arc::clone(&gauges);
            async move { relay.show_backlog(stop).await }
        });
        tasks.keep_running("outbox relay", move |stop| {
            let relay = Arc::clone(&relay);
            async move { relay.run(stop).await }
        });
        waker
    }

    async fn run(&self, stop: CancellationToken) {
        let timings = &self.options.timings;
        let mut leases = Leases::new(&self.options.owner, timings.outbox_lease);
        let (mut failures, mut unparked) = (0, false);
        while !stop.is_cancelled() {
            let pause = match self.round(&mut leases, &mut unparked).await {
                Ok(round) => {
                    failures = 0;
                    match round {
                        Round::Full => continue,
                        Round::Some => timings.outbox_poll_busy,
                        Round::Empty => timings.outbox_poll_idle,
                    }
                }
                Err(error) => {
                    let text = chain(&error);
                    warn!(error = text, "the outbox rests: {text}");
                    metrics::counter!("usher_outbox_failures_total").increment(1);
                    let pause = timings.outbox_retry.wait(failures);
                    failures = failures.saturating_add(1);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // A broken way is not tried faster because somebody commits.
                () = self.waker.notify.notified(), if failures == 0 => {}
                () = stop.cancelled() => {}
            }
        }
        if let Err(error) = leases.release(&self.database).await {
            let text = chain(&error);
            warn!(error = text, "the leases run out by themselves: {text}");
        }
    }

    async fn round(&self, leases: &mut Leases, unparked: &mut bool) -> Result<Round, RelayError> {
        leases.keep(&self.database).await?;
        if !*unparked {
            let types = self.options.events.iter();
            let types = types.map(|(kind, _)| kind.to_owned()).collect();
            rows::unpark(&self.database, types).await?;
            *unparked = true;
        }
        let Some((parts, until)) = leases.held() else {
            return Ok(Round::Empty);
        };
        let batch = rows::next(&self.database, parts).await?;
        let round = match i64::try_from(batch.len()) {
            Ok(0) => return Ok(Round::Empty),
            Ok(BATCH..) | Err(_) => Round::Full,
            Ok(_) => Round::Some,
        };
        self.options.faults.at("outbox/read").await;
        self.publish(batch, leases, until).await?;
        Ok(round)
    }

    async fn publish(
        &self,
        batch: Vec<Row>,
        leases: &Leases,
        until: Instant,
    ) -> Result<(), RelayError> {
        let (mut known, mut messages, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for row in batch {
            match self.options.events.route(&row.type_) {
                Some(route) => {
                    messages.push(row.outgoing(route, &self.options.service));
                    known.push(row);
                }
                None => unknown.push(row),
            }
        }
        self.park(&unknown).await?;
        if known.is_empty() {
            return Ok(());
        }
        // Past the lease nothing is sent: the part may be another relay's. Its last quarter is for the delete.
        let sending = until - self.options.timings.outbox_lease / 4;
        let deadline = sending.min(Instant::now() + CONFIRM_LIMIT);
        let outcomes = self.options.publisher.publish(messages, deadline).await?;
        self.options.faults.at("outbox/confirmed").await;
        self.settle(&known, &outcomes, leases).await
    }

    async fn settle(
        &self,
        batch: &[Row],
        outcomes: &[Outcome],
        leases: &Leases,
    ) -> Result<(), RelayError> {
        let (mut confirmed, mut resting) = (Vec::new(), Vec::new());
        let mut lost = false;
        for (row, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Outcome::Confirmed => confirmed.push(row.id),
                Outcome::Returned => resting.extend(self.resting(row, leases, "no queue took it")),
                Outcome::Refused => {
                    resting.extend(self.resting(row, leases, "the broker refused it"));
                }
                Outcome::Unknown => lost = true,
            }
        }
        let published = u64::try_from(confirmed.len()).unwrap_or_default();
        if !confirmed.is_empty() {
            rows::delete(&self.database, confirmed).await?;
        }
        metrics::counter!("usher_outbox_published_total").increment(published);
        if !resting.is_empty() {
            rows::rest(&self.database, resting).await?;
        }
        if lost {
            Err(Unpublished.into())
        } else {
            Ok(())
        }
    }

    fn resting(&self, row: &Row, leases: &Leases, error: &'static str) -> Option<Resting> {
        let id = row.message_id;
        warn!(message_id = %id, kind = row.type_, error, "message {id} was not published: {error}");
        metrics::counter!("usher_outbox_refused_total", "reason" => error).increment(1);
        let attempts = u32::try_from(row.attempts).unwrap_or_default();
        Some(Resting {
            id: row.id,
            generation: leases.generation(row.part)?,
            wait: self.options.timings.outbox_retry.wait(attempts),
            error,
        })
    }

    /// Puts rows aside that this program does not know how to publish, so that they do not block their part.
    async fn park(&self, unknown: &[Row]) -> Result<(), RelayError> {
        if unknown.is_empty() {
            return Ok(());
        }
        for row in unknown {
            let (id, kind) = (row.message_id, &row.type_);
            error!(message_id = %id, kind, "message {id} is parked in the outbox: {kind} has no event option");
            metrics::counter!("usher_outbox_parked_total").increment(1);
        }
        let ids = unknown.iter().map(|row| row.id).collect();
        rows::park(&self.database, ids, "its type has no event option").await?;
        Ok(())
    }

    async fn show_backlog(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Ok(backlog) = rows::backlog(&self.database).await {
                let count = |rows| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
                metrics::gauge!("usher_outbox_rows").set(count(backlog.waiting));
                metrics::gauge!("usher_outbox_parked_rows").set(count(backlog.parked));
                metrics::gauge!("usher_outbox_oldest_seconds").set(backlog.oldest_seconds);
            }
            tokio::select! {
                () = tokio::time::sleep(self.options.timings.gauges) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
