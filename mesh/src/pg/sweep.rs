//! Removal of rows past their time, in batches that never hold a lock for long.

use std::convert::Infallible;
use std::time::Duration;

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Database, TxError};
use crate::status::chain;

/// Rows in one statement: some milliseconds of work.
const BATCH: i64 = 1000;
/// Statements in one round; what is left waits for the next one.
const BATCHES_MAX: usize = 100;

/// A table and the statement that removes rows past their time from it, `$1` of them at most. `now()` and not the wall clock: the planner uses
/// an index only for a time that stands still.
pub type Sweep = (&'static str, &'static str);

/// What is removed of every service.
const SWEEPS: [Sweep; 2] = [
    // 14 days: longer than any message is tried again. What is tried again or laid aside is remembered as long as it is there.
    (
        "inbox",
        "DELETE FROM inbox WHERE ctid = ANY(ARRAY(
         SELECT i.ctid FROM inbox i WHERE i.receive_time < now() - interval '14 days' AND NOT EXISTS (
             SELECT FROM dead_letter d WHERE d.consumer = i.consumer AND d.message_id = i.message_id
             UNION ALL SELECT FROM retry_message r WHERE r.consumer = i.consumer AND r.message_id = i.message_id) LIMIT $1))",
    ),
    // 24 hours: as long as a request_id is promised to be remembered.
    (
        "idempotency",
        "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM idempotency WHERE create_time < now() - interval '24 hours' LIMIT $1))",
    ),
];

impl Database {
    /// Removes inbox rows after 14 days and idempotency rows after 24 hours, every `period`, as long as the process lives.
    pub fn keep_swept(&self, period: Duration) {
        self.keep_swept_of("sweep", &SWEEPS, period);
    }

    /// The same for tables of a service, in task `name`.
    pub fn keep_swept_of(&self, name: &'static str, sweeps: &'static [Sweep], period: Duration) {
        let database = self.background();
        self.tasks.keep_running(name, move |stop| {
            let database = database.clone();
            async move { database.sweep_rounds(sweeps, period, stop).await }
        });
    }

    async fn sweep_rounds(&self, sweeps: &[Sweep], period: Duration, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for &(table, delete) in sweeps {
                if let Err(error) = self.sweep(table, delete, &stop).await {
                    let text = chain(&error);
                    warn!(table, error = text, "{table} was not swept: {text}");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn sweep(
        &self,
        table: &'static str,
        delete: &'static str,
        stop: &CancellationToken,
    ) -> Result<(), TxError<Infallible>> {
        for _ in 0..BATCHES_MAX {
            let removed: usize = self
                .transaction("sweep", async move |connection| {
                    Ok(diesel::sql_query(delete)
                        .bind::<BigInt, _>(BATCH)
                        .execute(connection)
                        .await?)
                })
                .await?;
            let removed = u64::try_from(removed).unwrap_or_default();
            metrics::counter!("usher_swept_rows_total", "table" => table).increment(removed);
            if removed < BATCH.unsigned_abs() || stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }
}
