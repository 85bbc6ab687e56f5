//! Whether the database answers, for readiness and for the dashboards.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Database, now};
use crate::health::{Health, Need};
use crate::status::chain;

/// Name of the check.
const CHECK: &str = "postgres";

impl Database {
    /// Asks the database for the time every `period` and shows in `health` whether it answers: without it the process is not ready. Through
    /// the background pool, because a pool that callers have filled is no reason to send them elsewhere all at once.
    pub fn keep_watched(&self, health: &Health, period: Duration) {
        let (database, health) = (self.clone(), health.clone());
        self.tasks.keep_running("database watch", move |stop| {
            let (database, health) = (database.clone(), health.clone());
            async move { database.watch(&health, period, stop).await }
        });
    }

    async fn watch(&self, health: &Health, period: Duration, stop: CancellationToken) {
        let background = self.background();
        while !stop.is_cancelled() {
            match background.read(now).await {
                Ok(_) => health.up(CHECK, Need::Required),
                Err(error) => health.down(CHECK, Need::Required, chain(&error)),
            }
            for (pool, database) in [("callers", self), ("background", &background)] {
                let in_use = f64::from(database.in_use());
                metrics::gauge!("usher_database_connections_in_use", "pool" => pool).set(in_use);
            }
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
