//! Ends payments that nobody confirmed in time. Only this service expires a payment, and only while it awaits its customer.

use mesh::pg::now;

use super::{App, Error, lock, save};
use crate::store::due;

/// Payments in one transaction: some milliseconds of work.
const BATCH: i64 = 64;

impl App {
    /// Ends what is past its deadline. Answers whether there may be more.
    pub(super) async fn expire_due(&self) -> Result<bool, Error> {
        let ladder = self.timings.ladder.clone();
        let expire = self
            .background
            .transaction("expire payments", async move |connection| {
                let ids = due::past_deadline(connection, BATCH).await?;
                let full = i64::try_from(ids.len()).is_ok_and(|count| count == BATCH);
                for payment_id in ids {
                    let mut payment = lock(connection, payment_id).await?;
                    let now = now(connection).await?;
                    if let Some(change) = payment.expire(&ladder, now) {
                        save(connection, &payment, &change, None).await?;
                    }
                }
                Ok(full)
            });
        let full: bool = expire.await?;
        self.committed_events();
        Ok(full)
    }
}
