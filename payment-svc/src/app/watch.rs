//! The alarm of refunds that wait for a person.

use mesh::pg::TxError;
use std::convert::Infallible;
use tracing::error;
use uuid::Uuid;

use super::App;
use crate::store::refund;

impl App {
    /// How many refunds are parked, and the one that was decided first.
    pub async fn parked_refunds(&self) -> Result<(Option<Uuid>, i64), TxError<Infallible>> {
        let background = &self.background;
        background
            .read(async |connection| refund::parked(connection).await)
            .await
    }

    /// Shows how many refunds are parked. Their parking was logged; a process that finds some when it starts names the oldest once more.
    pub(super) fn keep_refunds_watched(&self) {
        let app = self.clone();
        self.tasks.keep_running("parked refunds", move |stop| {
            let app = app.clone();
            async move {
                let mut begins = true;
                while !stop.is_cancelled() {
                    // Without the database other alarms ring.
                    if let Ok(parked) = app.parked_refunds().await {
                        show(parked, begins);
                        begins = false;
                    }
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(app.timings.mesh.gauges) => {}
                    }
                }
            }
        });
    }
}

fn show((oldest, count): (Option<Uuid>, i64), begins: bool) {
    // Through u32 to a float, which is what gauges are.
    metrics::gauge!("usher_payment_refunds_parked").set(u32::try_from(count).unwrap_or(u32::MAX));
    if let Some(refund_id) = oldest.filter(|_| begins) {
        error!(%refund_id, count, "{count} refunds are parked, the oldest is {refund_id}: RetryRefund sends them again");
    }
}
