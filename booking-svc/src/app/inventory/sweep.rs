//! Reclaims holds whose time is up. Expiry is a permission: a buyer who needs the unit may be first.

use std::time::Duration;

use futures_util::future::join_all;
use mesh::pg::Database;
use mesh::status::chain;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Inventory;
use crate::domain::inventory::Command;
use crate::store::holds;

/// Holds reclaimed in one go: one batch.
const SWEEP_MAX: i64 = 256;

/// Reclaims overdue holds every `interval` until told to stop. Runs in every instance; the database decides who is first.
pub async fn sweep(
    inventory: Inventory,
    database: Database,
    interval: Duration,
    stop: CancellationToken,
) {
    let database = database.background();
    loop {
        let due = database
            .read(async |connection| holds::due(connection, SWEEP_MAX).await)
            .await;
        let found = match due {
            Ok(due) => {
                let expiring = due
                    .iter()
                    .map(|hold_id| inventory.submit(Command::Expire { hold_id: *hold_id }));
                join_all(expiring).await;
                due.len()
            }
            Err(problem) => {
                warn!(error = chain(&problem), "overdue holds cannot be read");
                0
            }
        };
        if found > 0 {
            info!(holds = found, "{found} overdue hold(s) reclaimed");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
