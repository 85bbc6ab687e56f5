//! Claims that were queued: a batch is decided once, whatever is delivered twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh::amqp::{Handler, Message, Poison};
use mesh::outbox::Waker;
use mesh::pg::{Connection, TxError};
use proto::usher::coupon::events::v1::ClaimCouponsCommand;
use uuid::Uuid;

use crate::app::claims::batch::{self, Batch, News, QueuedClaim};
use crate::app::desk::Desk;

/// Queue of the claims.
pub const CLAIMS: &str = "coupon-svc.claims";
/// News that wait for their commit: more than batches under way at once. What is beyond was never committed.
const NEWS_MAX: usize = 64;

/// Decides batches of claims.
#[derive(Clone, Debug)]
pub struct QueuedClaims {
    outbox: Waker,
    desk: Desk,
    /// By message, until it is committed.
    news: Arc<Mutex<HashMap<Uuid, News>>>,
}

impl QueuedClaims {
    /// What was decided is told at once, and `desk` hears of it.
    #[must_use]
    pub fn new(outbox: Waker, desk: Desk) -> Self {
        Self {
            outbox,
            desk,
            news: Arc::default(),
        }
    }
}

impl Handler for QueuedClaims {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let news = batch::decide(connection, &read(message)?).await?;
        // Nothing removes campaigns, and only those that are there have batches.
        let news = news.ok_or_else(|| Poison::new("there is no such campaign"))?;
        let mut waiting = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= NEWS_MAX {
            waiting.clear();
        }
        waiting.insert(message.message_id, news);
        Ok(())
    }

    async fn committed(&self, message: &Message) {
        self.outbox.wake();
        let news = {
            let mut waiting = self.news.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.remove(&message.message_id)
        };
        if let Some(news) = news {
            batch::spread(&self.desk, news).await;
        }
    }
}

fn read(message: &Message) -> Result<Batch, Poison> {
    let command: ClaimCouponsCommand = message.decode()?;
    let claims = command.claims.iter().map(|claim| {
        Ok(QueuedClaim {
            request_id: Poison::uuid(&claim.request_id, "request_id")?,
            account_id: Poison::uuid(&claim.account_id, "account_id")?,
        })
    });
    Ok(Batch {
        batch_id: Poison::uuid(&command.batch_id, "batch_id")?,
        campaign_id: Poison::uuid(&command.campaign_id, "campaign_id")?,
        claims: claims.collect::<Result<_, Poison>>()?,
    })
}
