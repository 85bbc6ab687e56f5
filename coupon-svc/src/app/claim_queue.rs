//! Claims that are decided later: all that is written is the command to decide them.

use mesh::id;
use mesh::outbox::{self, Waker};
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Connection, Database};
use proto::usher::coupon::events::v1 as events;
use uuid::Uuid;

use super::claims::batch::QueuedClaim;
use super::manage::{Error, Operator, Refusal};
use crate::domain::campaign::{Issue, State};
use crate::store;

/// Claims of one batch: one message and one transaction, which holds its locks for tens of milliseconds.
pub const CLAIMS_MAX: usize = 500;

/// Claims to queue, and who asks.
#[derive(Clone, Debug)]
pub struct Order {
    /// Caller, method and request.
    pub key: Key,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who.
    pub operator: Operator,
    /// Campaign.
    pub campaign_id: Uuid,
    /// In the order in which they are served.
    pub claims: Vec<QueuedClaim>,
}

/// The use case. Clones share everything.
#[derive(Clone, Debug)]
pub struct ClaimQueue {
    /// Where campaigns are.
    pub database: Database,
    /// Wakes the relay.
    pub outbox: Waker,
}

impl ClaimQueue {
    /// Accepts claims, once; answers the id of their batch.
    pub async fn accept(&self, order: Order) -> Result<Uuid, Error> {
        let work = async move |connection: &mut Connection| {
            let begun = begin(connection, order.key.clone(), order.hash).await?;
            let first = match begun {
                Begun::First(first) => first,
                Begun::Replay { resource_id } => return Ok(resource_id),
                Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
            };
            let campaign_id = order.campaign_id;
            let campaign = store::campaigns::find(connection, campaign_id, false).await?;
            let campaign = campaign
                .filter(|campaign| order.operator.may(campaign) && campaign.state != State::Draft);
            // Nothing changes how coupons of a campaign are had once it is open.
            match campaign.map(|campaign| campaign.settings.issue) {
                Some(Issue::Claim) => {}
                Some(issue) => return Err(Refusal::Otherwise(issue).into()),
                None => return Err(Refusal::NoCampaign.into()),
            }
            let batch_id = id::new();
            let claims = order.claims.iter().map(|claim| events::QueuedClaim {
                request_id: claim.request_id.to_string(),
                account_id: claim.account_id.to_string(),
            });
            let command = events::ClaimCouponsCommand {
                batch_id: batch_id.to_string(),
                campaign_id: campaign_id.to_string(),
                claims: claims.collect(),
            };
            // Batches of one campaign are sent in their order.
            outbox::append(connection, &command, campaign_id).await?;
            first.record(connection, batch_id).await?;
            Ok(batch_id)
        };
        let batch_id = self.database.transaction("claim batch", work).await?;
        self.outbox.wake();
        Ok(batch_id)
    }
}
