//! What happens to campaigns by time alone: every instance looks, and whoever finds one first tells its end.
//!
//! Nobody waits for it: where a campaign stands is answered from its times, to the moment. Coupons have no such job at all.

use std::convert::Infallible;
use std::time::Duration;

use mesh::clock::to_timestamp;
use mesh::outbox::{self, Waker};
use mesh::pg::{Connection, Database, TxError};
use mesh::status::chain;
use mesh::tasks::Tasks;
use proto::usher::coupon::events::v1::{CampaignEndCause, CampaignEnded};
use tracing::warn;
use uuid::Uuid;

use crate::store;

/// Pause between two looks: how late an end is told at most, by one indexed statement a look.
const EVERY: Duration = Duration::from_secs(1);
/// Campaigns of one transaction: a few milliseconds.
const AT_ONCE: i64 = 100;

/// Looks until the process stops.
pub fn keep(database: &Database, outbox: &Waker, tasks: &Tasks) {
    let (database, outbox) = (database.background(), outbox.clone());
    tasks.keep_running("expiry of campaigns", move |stop| {
        let (database, outbox) = (database.clone(), outbox.clone());
        async move {
            while !stop.is_cancelled() {
                let more = match expire(&database).await {
                    Ok(0) => false,
                    Ok(count) => {
                        outbox.wake();
                        i64::try_from(count).unwrap_or_default() == AT_ONCE
                    }
                    Err(error) => {
                        warn!(error = chain(&error), "campaigns are not expired");
                        false
                    }
                };
                if more {
                    continue;
                }
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        }
    });
}

/// One round; answers how many were expired.
async fn expire(database: &Database) -> Result<usize, TxError<Infallible>> {
    let work = async move |connection: &mut Connection| {
        let expired = store::expiry::expire(connection, AT_ONCE).await?;
        let events = expired.into_iter().map(|(campaign_id, time)| {
            let event = CampaignEnded {
                campaign_id: campaign_id.to_string(),
                end_time: Some(to_timestamp(time)),
                cause: CampaignEndCause::ByTime.into(),
            };
            (campaign_id, event)
        });
        let events: Vec<(Uuid, CampaignEnded)> = events.collect();
        outbox::append_all(connection, &events).await?;
        Ok(events.len())
    };
    database.transaction("expire campaigns", work).await
}
