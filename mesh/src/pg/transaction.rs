//! Transactions that end by themselves: the caller may go away at any time.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::connection::{TransactionDepthChange, TransactionManagerStatus};
use diesel::dsl::select;
use diesel::result::Error;
use diesel_async::{
    AnsiTransactionManager, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    TransactionManager,
};
use tracing::{error, warn};

use super::database::Database;
use super::error::{Class, TxError};
use super::pool::{NoConnection, Pooled, discard};
use crate::random;

/// Attempts of one transaction that collides (40001, 40P01). With the pauses below the last one starts after about 150 ms.
const ATTEMPTS: u32 = 5;
/// Pause after the first collision, doubled each time: the length of a short transaction.
const PAUSE_BASE: Duration = Duration::from_millis(10);
/// Longest pause between two attempts.
const PAUSE_CAP: Duration = Duration::from_millis(200);

diesel::define_sql_function! {
    /// Time of the wall clock, also inside a transaction.
    fn clock_timestamp() -> Timestamptz;
}

/// An `async |connection| ...` closure whose future is `Send`. Implemented by every such closure; nobody implements it by hand.
pub trait AsyncWork<C, R>:
    AsyncFnOnce(C) -> R + FnOnce(C) -> <Self as AsyncWork<C, R>>::Running
{
    /// The running closure.
    type Running: Future<Output = R>;
}

impl<F, C, Running, R> AsyncWork<C, R> for F
where
    F: AsyncFnOnce(C) -> R + FnOnce(C) -> Running,
    Running: Future<Output = R>,
{
    type Running = Running;
}

/// The database's clock: `clock_timestamp()`, not `now()`, which stands still at the start of the transaction and is therefore older than
/// any lock it waited for. Read it after the lock whose holders the decision is about.
pub async fn now(connection: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    select(clock_timestamp()).get_result(connection).await
}

impl Database {
    /// Runs `work` in a transaction that is owned by the process: it commits or rolls back also when the caller is dropped.
    ///
    /// Each attempt gets its own clone of `work`, because a collision (40001, 40P01) runs it again: it must have no effect but on its
    /// connection. It returns its first database error (`?`); one that is swallowed fails the transaction.
    pub async fn transaction<T, E, F>(&self, name: &'static str, work: F) -> Result<T, TxError<E>>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<T, TxError<E>>
            + AsyncWork<&'c mut AsyncPgConnection, Result<T, TxError<E>>, Running: Send>
            + Clone
            + Send
            + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let database = self.clone();
        let owned = async move { database.attempts(name, work).await };
        match self.tasks.run(name, owned).await {
            Ok(outcome) => outcome,
            // Most likely it rolled back, but a panic does not say how far it came.
            Err(panic) => {
                error!(transaction = name, error = %panic, "{name} panicked in its transaction");
                Err(TxError::Unknown)
            }
        }
    }

    /// Runs `work` on one connection without a transaction, for reads of a single statement. Not owned: nothing is lost with it. It runs
    /// again on another connection when the first one turns out to be dead.
    pub async fn read<T, F>(&self, work: F) -> Result<T, TxError<std::convert::Infallible>>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> QueryResult<T>
            + AsyncWork<&'c mut AsyncPgConnection, QueryResult<T>, Running: Send>
            + Clone
            + Send,
        T: Send,
    {
        let mut replacements = self.pool.replacements();
        loop {
            let mut connection = self.pool.get().await.map_err(unconnected)?;
            match work.clone()(&mut connection).await {
                Ok(value) => return Ok(value),
                Err(error) if Class::of(&error) == Class::Connection => {
                    discard(&mut connection);
                    if replacements == 0 {
                        return Err(TxError::Unavailable);
                    }
                    replacements -= 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn attempts<T, E, F>(&self, name: &'static str, work: F) -> Result<T, TxError<E>>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<T, TxError<E>>
            + AsyncWork<&'c mut AsyncPgConnection, Result<T, TxError<E>>, Running: Send>
            + Clone
            + Send,
        T: Send,
        E: Send,
    {
        let mut attempt = 0;
        loop {
            let outcome = self.attempt(work.clone()).await;
            attempt += 1;
            if !matches!(outcome, Err(TxError::Conflict)) {
                return outcome;
            }
            metrics::counter!("usher_database_conflicts_total", "transaction" => name).increment(1);
            if attempt == ATTEMPTS {
                warn!(transaction = name, "{name} collided {ATTEMPTS} times");
                return outcome;
            }
            tokio::time::sleep(random::backoff(attempt - 1, PAUSE_BASE, PAUSE_CAP)).await;
        }
    }

    async fn attempt<T, E, F>(&self, work: F) -> Result<T, TxError<E>>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<T, TxError<E>>
            + AsyncWork<&'c mut AsyncPgConnection, Result<T, TxError<E>>, Running: Send>
            + Send,
        T: Send,
        E: Send,
    {
        let mut connection = self.begin().await?;
        match work(&mut connection).await {
            Ok(value) => commit(&mut connection).await.map(|()| value),
            Err(refused) => {
                roll_back(&mut connection).await;
                Err(refused)
            }
        }
    }

    /// A connection with an open transaction. Connections that died in the pool are replaced.
    async fn begin<E>(&self) -> Result<Pooled<'_>, TxError<E>> {
        let mut replacements = self.pool.replacements();
        loop {
            let mut connection = self.pool.get().await.map_err(unconnected)?;
            match AnsiTransactionManager::begin_transaction(&mut *connection).await {
                Ok(()) => return Ok(connection),
                Err(error) => {
                    discard(&mut connection);
                    if Class::of(&error) != Class::Connection {
                        return Err(error.into());
                    }
                    if replacements == 0 {
                        return Err(TxError::Unavailable);
                    }
                    replacements -= 1;
                }
            }
        }
    }
}

fn unconnected<E>(reason: NoConnection) -> TxError<E> {
    match reason {
        NoConnection::Busy => TxError::Busy,
        NoConnection::Unavailable => TxError::Unavailable,
    }
}

/// Commits. A bare COMMIT of a transaction whose statement failed answers success and rolls back, so a closure that swallowed an error would
/// lose its writes in silence: the statement before COMMIT, in the same round trip, fails then. It also brings deferred constraints forward.
async fn commit<E>(connection: &mut AsyncPgConnection) -> Result<(), TxError<E>> {
    let outcome = connection
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE; COMMIT")
        .await;
    match outcome {
        Ok(()) => {
            closed(connection);
            Ok(())
        }
        Err(error) if Class::of(&error) == Class::Connection => {
            discard(connection);
            Err(TxError::Unknown)
        }
        Err(error) => {
            roll_back(connection).await;
            Err(error.into())
        }
    }
}

/// Tells diesel that the transaction it opened is over.
fn closed(connection: &mut AsyncPgConnection) {
    let status = AnsiTransactionManager::transaction_manager_status_mut(connection);
    let left = match status {
        TransactionManagerStatus::Valid(valid) => {
            valid.change_transaction_depth(TransactionDepthChange::DecreaseDepth)
        }
        TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
    };
    if left.is_err() {
        discard(connection);
    }
}

async fn roll_back(connection: &mut AsyncPgConnection) {
    if let Err(failed) = AnsiTransactionManager::rollback_transaction(connection).await {
        // The server rolls back when the session ends.
        warn!(error = %failed, "a rollback failed and its connection is closed: {failed}");
        discard(connection);
    }
}
