//! A service's database: one pool for callers and a small one for background work.

use std::time::Duration;

use super::error::ConnectError;
use super::pool::{Pool, SILENCE};
use crate::config::Secret;
use crate::tasks::Tasks;

/// Bounds of a database's pools and sessions. Start from [`DatabaseOptions::new`].
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Connections for callers. Too many only queue inside the server; the sum over all processes stays below its max_connections.
    pub pool_size: u32,
    /// Connections for relays, sweepers and consumers, so that callers cannot starve recovery.
    pub background_pool_size: u32,
    /// Longest wait for a connection; past it the caller is told to come back.
    pub acquire_timeout: Duration,
    /// Longest wait for a connection of the background pool: nobody waits behind it, so patience is cheaper than a failed attempt.
    pub background_acquire_timeout: Duration,
    /// Longest wait for one lock.
    pub lock_timeout: Duration,
    /// Longest time one statement may take, its locks included.
    pub statement_timeout: Duration,
    /// The server ends a session that leaves a transaction open for so long without a statement.
    pub idle_in_transaction_timeout: Duration,
    /// Longest time without an acknowledgement of what was sent; then the connection has ended.
    pub silence: Duration,
    /// Name of the sessions in pg_stat_activity.
    pub application_name: String,
}

impl DatabaseOptions {
    /// The documented bounds for a service of this name.
    #[must_use]
    pub fn new(application_name: impl Into<String>) -> Self {
        Self {
            // Two cores answer a few thousand short transactions a second on 16 connections; more do not help.
            pool_size: 16,
            // A relay, sweepers, a worker and three consumers with three transactions each, which are rarely all at work.
            background_pool_size: 8,
            background_acquire_timeout: Duration::from_secs(5),
            // Past half a second a caller is better served by an honest RESOURCE_EXHAUSTED than by a queue.
            acquire_timeout: Duration::from_millis(500),
            // Hot rows are held for milliseconds; who waits longer stands in a queue that only grows.
            lock_timeout: Duration::from_millis(500),
            // The longest deadline of a transaction's caller (20 s: CreateHall) minus what it needs to answer.
            statement_timeout: Duration::from_secs(15),
            // Nothing but statements is awaited in a transaction; a longer pause is a fault.
            idle_in_transaction_timeout: Duration::from_secs(10),
            silence: SILENCE,
            application_name: application_name.into(),
        }
    }

    /// Statements that put the bounds on a fresh session.
    pub(super) fn session(&self) -> String {
        format!(
            "SET lock_timeout = {}; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET application_name = '{}'",
            self.lock_timeout.as_millis(),
            self.statement_timeout.as_millis(),
            self.idle_in_transaction_timeout.as_millis(),
            self.application_name.replace('\'', ""),
        )
    }
}

/// A service's database. Clones share the pools.
#[derive(Clone, Debug)]
pub struct Database {
    pub(super) pool: Pool,
    background: Pool,
    pub(super) tasks: Tasks,
}

impl Database {
    /// Opens both pools; `tasks` own the transactions. Fails when the first connection does not come.
    pub async fn connect(
        url: &Secret,
        options: &DatabaseOptions,
        tasks: &Tasks,
    ) -> Result<Self, ConnectError> {
        Ok(Self {
            pool: Pool::open(url, options.pool_size, options.acquire_timeout, options).await?,
            background: Pool::open(
                url,
                options.background_pool_size,
                options.background_acquire_timeout,
                options,
            )
            .await?,
            tasks: tasks.clone(),
        })
    }

    /// The same database through the small pool: for relays, sweepers, workers and consumers.
    #[must_use]
    pub fn background(&self) -> Self {
        Self {
            pool: self.background.clone(),
            background: self.background.clone(),
            tasks: self.tasks.clone(),
        }
    }

    /// Connections of this handle's pool that are in use now.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.pool.in_use()
    }
}
