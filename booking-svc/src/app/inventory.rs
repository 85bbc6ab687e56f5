//! The commit path of the inventory: one batcher an instance, across pools.
//!
//! Commands are collected while the previous commit runs, so batches grow with the load and nobody waits for a timer. One batch is one
//! transaction: it locks, reads, lets [`decide`](crate::domain::inventory::decide) rule on each command in order of arrival, and writes
//! once. The answer leaves after the commit. Safety never depends on which instance batches: locks and constraints are the database's.

use std::fmt;
use std::sync::Arc;

use diesel::QueryResult;
use futures_util::future::BoxFuture;
use mesh::pg::{Connection, Database};
use mesh::tasks::Tasks;
use mesh::trace::{self, TraceParent};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::domain::hold::Hold;
use crate::domain::inventory::{Command, Rejection};
use crate::store::inventory::PoolLock;

mod batch;
mod batcher;
pub mod levels;
mod sweep;

pub use sweep::sweep;

/// Commands of one batch: enough to share one fsync, few enough to hold the locks for milliseconds.
const BATCH_MAX: usize = 256;
/// Commands that wait for the next batch: eight batches; who comes then is better refused at once.
const WAITING_MAX: usize = 8 * BATCH_MAX;

/// Why a command has no hold to show.
#[derive(Debug, Error)]
pub enum Failure {
    /// It was decided against.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The saga it belongs to is somebody else's now.
    #[error("the saga's lease was taken over")]
    Fenced,
    /// Its pool stayed locked for longer than the limit.
    #[error("the pool is busy")]
    PoolBusy,
    /// Too many commands wait.
    #[error("too many commands wait for the inventory")]
    Overloaded,
    /// The database is away. Nothing changed.
    #[error("the database does not answer")]
    Unavailable,
    /// The commit's answer was lost: only a replay tells.
    #[error("nobody knows whether the command took effect")]
    Unknown,
    /// A fault of ours, with an alarm in the log. Nothing changed.
    #[error("the command failed")]
    Fault,
}

/// What else a command writes in the transaction of its batch. A collision runs it again.
pub trait Rider: Send + Sync {
    /// Locks what comes before pools in the lock order. Answers whether the command is still wanted.
    fn lock<'a>(&'a self, connection: &'a mut Connection) -> BoxFuture<'a, QueryResult<bool>>;

    /// Writes, once the command was decided; `hold` is what it left.
    fn write<'a>(
        &'a self,
        connection: &'a mut Connection,
        hold: &'a Hold,
    ) -> BoxFuture<'a, QueryResult<()>>;

    /// Place in the lock order among riders.
    fn order(&self) -> uuid::Uuid;
}

/// Settings of the commit path.
#[derive(Clone, Copy, Debug)]
pub struct InventoryOptions {
    /// See [`PoolLock`].
    pub pool_lock: PoolLock,
    /// Holds live this many times shorter than their show says: 1, or more in tests.
    pub ttl_divisor: u32,
}

impl Default for InventoryOptions {
    fn default() -> Self {
        Self {
            pool_lock: PoolLock::On,
            ttl_divisor: 1,
        }
    }
}

/// The way to every counter. Clones share the batcher.
#[derive(Clone)]
pub struct Inventory {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Inventory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.jobs.max_capacity() - self.jobs.capacity();
        formatter
            .debug_struct("Inventory")
            .field("waiting", &waiting)
            .finish()
    }
}

/// A command on its way.
struct Job {
    command: Command,
    rider: Option<Arc<dyn Rider>>,
    /// Trace of whoever asked.
    trace: Option<TraceParent>,
    /// It was refused once and comes again behind what was reclaimed for it.
    second_try: bool,
    answer: oneshot::Sender<Result<Hold, Failure>>,
}

impl Inventory {
    /// Starts the batcher of this instance.
    #[must_use]
    pub fn start(database: &Database, tasks: &Tasks, options: InventoryOptions) -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        // Its own small pool: a crowd of readers must not keep the one writer waiting.
        let database = database.background();
        let waiting = Arc::new(Mutex::new(waiting));
        tasks.keep_running("inventory batcher", move |stop| {
            batcher::run(database.clone(), options, Arc::clone(&waiting), stop)
        });
        Self { jobs }
    }

    /// Carries a command out. When the caller goes away the command still is.
    pub async fn submit(&self, command: Command) -> Result<Hold, Failure> {
        self.send(command, None).await
    }

    /// Carries a command out, with `rider` in the same transaction.
    pub async fn submit_with(
        &self,
        command: Command,
        rider: Arc<dyn Rider>,
    ) -> Result<Hold, Failure> {
        self.send(command, Some(rider)).await
    }

    async fn send(&self, command: Command, rider: Option<Arc<dyn Rider>>) -> Result<Hold, Failure> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            command,
            rider,
            trace: trace::current(),
            second_try: false,
            answer,
        };
        self.jobs.try_send(job).map_err(|_| {
            metrics::counter!("usher_inventory_refused_total").increment(1);
            Failure::Overloaded
        })?;
        // The batcher answers every job; a lost answer means that it panicked mid-way.
        answered.await.unwrap_or(Err(Failure::Unknown))
    }
}
