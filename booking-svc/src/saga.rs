//! The saga runner: every instance looks for due sagas, leases them and takes their next step.
//!
//! A step is: read the position, do the one thing that it asks for, write what came of it under the lease's generation. Whoever dies in
//! between leaves a lease that ends; whoever is late finds the generation raised and writes nothing.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use mesh::faults::Faults;
use mesh::outbox::Waker;
use mesh::pg::{Database, TxError};
use mesh::status::chain;
use mesh::tasks::Tasks;
use mesh::trace::{self, Kind, Span};
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::app::inventory::Inventory;
use crate::app::timings::BookTimings;
use crate::clients::{Coupons, Payments};
use crate::store::sagas::{self, Saga};

mod book;
mod confirm;
mod free;
pub mod moments;
mod reserve;
mod rest;
pub mod turn;

/// Sagas that one instance works on at once: most wait for payment-svc or for the batcher, not for the processor.
const AT_ONCE_MAX: usize = 64;
/// A lease is renewed this often before it ends: twice a renewal may fail.
const RENEWALS_PER_LEASE: u32 = 3;
/// Bookings whose change is told to watchers before the oldest is forgotten; a watcher that missed one looks for itself.
const CHANGES_KEPT: usize = 1024;

/// What sagas work with. Clones share it.
#[derive(Clone)]
pub struct Sagas {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// For callers.
    pub(crate) database: Database,
    /// For steps: a crowd of callers must not keep a paid saga waiting.
    pub(crate) background: Database,
    pub(crate) inventory: Inventory,
    pub(crate) payments: Payments,
    pub(crate) coupons: Coupons,
    pub(crate) outbox: Waker,
    pub(crate) timings: BookTimings,
    pub(crate) owner: String,
    pub(crate) tasks: Tasks,
    pub(crate) faults: Faults,
    due: Notify,
    changes: broadcast::Sender<Uuid>,
}

impl fmt::Debug for Sagas {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sagas")
            .field("owner", &self.inner.owner)
            .finish_non_exhaustive()
    }
}

/// What [`Sagas::start`] needs.
#[derive(Debug)]
pub struct Parts {
    /// Where sagas are; steps use its background pool.
    pub database: Database,
    /// The way to every counter.
    pub inventory: Inventory,
    /// The way to payment-svc.
    pub payments: Payments,
    /// The way to coupon-svc.
    pub coupons: Coupons,
    /// Wakes the relay.
    pub outbox: Waker,
    /// Timers.
    pub timings: BookTimings,
    /// Service name and id of this boot.
    pub owner: String,
    /// Owner of every task.
    pub tasks: Tasks,
    /// Fault points of tests: those of [`moments`].
    pub faults: Faults,
}

impl Sagas {
    /// Starts the runner of this instance.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        let tasks = parts.tasks.clone();
        let sagas = Self {
            inner: Arc::new(Inner {
                background: parts.database.background(),
                database: parts.database,
                inventory: parts.inventory,
                payments: parts.payments,
                coupons: parts.coupons,
                outbox: parts.outbox,
                timings: parts.timings,
                owner: parts.owner,
                tasks: parts.tasks,
                faults: parts.faults,
                due: Notify::new(),
                changes,
            }),
        };
        let running = sagas.clone();
        tasks.keep_running("saga runner", move |stop| {
            let sagas = running.clone();
            async move { sagas.run(stop).await }
        });
        sagas
    }

    /// Tells the runner of this instance that a saga is due, and watchers that a booking changed.
    pub fn wake(&self, booking_id: Uuid) {
        self.inner.due.notify_one();
        let _ = self.inner.changes.send(booking_id); // nobody may be watching
        self.inner.outbox.wake();
    }

    /// Bookings that change from now on, as far as this instance changes them.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Uuid> {
        self.inner.changes.subscribe()
    }

    /// Works on a saga that this instance just opened, until it rests.
    pub fn begin(&self, saga_id: Uuid) {
        let sagas = self.clone();
        self.inner.tasks.spawn("saga book", async move {
            let read = async move |connection: &mut mesh::pg::Connection| {
                sagas::get(connection, saga_id).await
            };
            match sagas.inner.background.read(read).await {
                // Somebody else has it when the opener was slow for longer than its lease.
                Ok(Some(saga)) if saga.lease_gen != 1 => {}
                Ok(Some(saga)) => sagas.take_step(saga).await,
                Ok(None) => {}
                Err(problem) => warn!(%saga_id, error = chain(&problem), "saga {saga_id} waits for its lease to end"),
            }
        });
    }

    async fn run(&self, stop: CancellationToken) {
        let inner = &self.inner;
        let slots = Arc::new(Semaphore::new(AT_ONCE_MAX));
        while !stop.is_cancelled() {
            // Claim only what can be worked on at once: a lease must not pass while a saga waits for its turn.
            let free = i64::try_from(slots.available_permits()).unwrap_or_default();
            let claimed = if free > 0 {
                self.claim(free).await
            } else {
                Vec::new()
            };
            let found = claimed.len();
            for saga in claimed {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                let sagas = self.clone();
                inner.tasks.spawn("saga book", async move {
                    sagas.take_step(saga).await;
                    drop(slot);
                });
            }
            if found > 0 {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = inner.due.notified() => {}
                () = tokio::time::sleep(inner.timings.sweep) => {}
            }
        }
    }

    async fn claim(&self, limit: i64) -> Vec<Saga> {
        let (owner, lease) = (self.inner.owner.clone(), self.inner.timings.lease);
        let claimed = self
            .inner
            .background
            .transaction("claim sagas", async move |connection| {
                sagas::unpark_overdue(connection).await?;
                let claimed = sagas::claim_due(connection, &owner, lease, limit).await?;
                Ok::<_, TxError<Infallible>>(claimed)
            });
        match claimed.await {
            Ok(claimed) => claimed,
            Err(problem) => {
                warn!(error = chain(&problem), "due sagas cannot be claimed");
                Vec::new()
            }
        }
    }

    /// Takes the next step of a saga that is leased as it was read, within the trace that opened it. Whoever holds no lease any more
    /// writes nothing.
    pub async fn take_step(&self, saga: Saga) {
        let parent = saga
            .traceparent
            .as_deref()
            .and_then(|text| text.parse().ok());
        let (saga_id, booking_id, at) = (saga.saga_id, saga.booking_id, saga.at);
        let lease = self.keep_lease(saga_id, saga.lease_gen);
        let step = Box::pin(book::step(self, saga));
        let mut span = Span::start(
            Kind::Internal,
            format!("saga book/{}", at.step.name()),
            parent,
        );
        span.set("usher.saga_id", saga_id.to_string());
        trace::within(Some(span.context()), async {
            let outcome = tokio::select! {
                outcome = step => outcome,
                never = lease => match never {},
            };
            match outcome {
                Ok(()) => info!(%saga_id, %booking_id, step = at.step.name(), "saga {saga_id} took a step"),
                Err(book::StepError::Fenced) => {
                    info!(%saga_id, "saga {saga_id} is somebody else's now");
                }
                Err(problem) => {
                    warn!(%saga_id, error = chain(&problem), "saga {saga_id} waits for its lease to end");
                }
            }
        })
        .await;
        self.wake(booking_id);
    }

    /// Renews a lease while its step takes long, until it is another's.
    async fn keep_lease(&self, saga_id: Uuid, lease_gen: i64) -> Infallible {
        let lease = self.inner.timings.lease;
        loop {
            tokio::time::sleep(lease / RENEWALS_PER_LEASE).await;
            let renewed = self.inner.background.read(async move |connection| {
                sagas::renew(connection, saga_id, lease_gen, lease).await
            });
            match renewed.await {
                Ok(true) => {}
                // Written under the next generation, or somebody else's: the step finds out by itself.
                Ok(false) => std::future::pending().await,
                Err(problem) => {
                    warn!(%saga_id, error = chain(&problem), "the lease of saga {saga_id} is not renewed")
                }
            }
        }
    }
}
