//! Claims that are decided later: all that is written is the command to decide them, and that they are queued.

use chrono::{DateTime, Utc};
use diesel::result::Error::DeserializationError;
use mesh::outbox::{self, Waker};
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{self, Connection, Database, TxError};
use prost::Message;
use proto::usher::coupon::events::v1 as events;
use uuid::Uuid;

use super::claims::batch::QueuedClaim;
use super::manage::{Error, Operator, Refusal};
use crate::domain::campaign::{Issue, State};
use crate::store;
use crate::store::claim_batches::Kept;

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

/// A batch of claims.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Id.
    pub batch_id: Uuid,
    /// Campaign.
    pub campaign_id: Uuid,
    /// When it was queued.
    pub queue_time: DateTime<Utc>,
    /// What was told of it; `None`: its turn has not come.
    pub decided: Option<events::CouponClaimsDecided>,
}

/// The use cases. Clones share everything.
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
            // The same one for as long as it is kept: the memory of requests is shorter.
            let batch_id = order.key.derived();
            if let Some(kept) = store::claim_batches::find(connection, batch_id).await? {
                if kept.request_hash != order.hash.0 {
                    return Err(Refusal::RequestIdReused.into());
                }
                first.record(connection, batch_id).await?;
                return Ok(batch_id);
            }
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
            let claims = order.claims.iter().map(|claim| events::QueuedClaim {
                request_id: claim.request_id.to_string(),
                account_id: claim.account_id.to_string(),
            });
            let command = events::ClaimCouponsCommand {
                batch_id: batch_id.to_string(),
                campaign_id: campaign_id.to_string(),
                claims: claims.collect(),
            };
            let kept = Kept {
                batch_id,
                campaign_id,
                account_id: order.key.account_id,
                request_hash: order.hash.0.to_vec(),
                queue_time: pg::now(connection).await?,
                decide_time: None,
                decided: None,
            };
            store::claim_batches::insert(connection, &kept).await?;
            // Batches of one campaign are sent in their order.
            outbox::append(connection, &command, campaign_id).await?;
            first.record(connection, batch_id).await?;
            Ok(batch_id)
        };
        let batch_id = self.database.transaction("claim batch", work).await?;
        self.outbox.wake();
        Ok(batch_id)
    }

    /// What became of a batch of `account_id`, or with `None` of anybody's.
    pub async fn get(&self, account_id: Option<Uuid>, batch_id: Uuid) -> Result<Batch, Error> {
        let read = async move |connection: &mut Connection| {
            let kept = store::claim_batches::find(connection, batch_id).await?;
            let theirs = |kept: &Kept| account_id.is_none_or(|id| id == kept.account_id);
            let Some(kept) = kept.filter(theirs) else {
                return Ok(None);
            };
            let decided = kept
                .decided
                .as_deref()
                .map(events::CouponClaimsDecided::decode);
            let decided = decided.transpose();
            Ok(Some(Batch {
                batch_id,
                campaign_id: kept.campaign_id,
                queue_time: kept.queue_time,
                decided: decided.map_err(|error| DeserializationError(error.into()))?,
            }))
        };
        let found = self.database.read(read).await.map_err(TxError::widen)?;
        Ok(found.ok_or(Refusal::NoClaimBatch)?)
    }
}
