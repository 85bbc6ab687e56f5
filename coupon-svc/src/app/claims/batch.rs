//! Claims that came by message: decided in the transaction of the message, where all claims are decided.

use mesh::clock::to_timestamp;
use mesh::pg::{self, Connection, TxError};
use mesh::{outbox, random};
use prost::Message;
use proto::usher::coupon::events::v1::claim_result::Outcome;
use proto::usher::coupon::events::v1::{ClaimRefusal, ClaimResult, CouponClaimsDecided};
use uuid::Uuid;

use super::commit::{self, Claim, Ruling};
use super::coupon_of;
use crate::app::desk::Desk;
use crate::domain::campaign::{Campaign, Shut};
use crate::gate::{Became, Claimant};
use crate::store;
use crate::store::coupons::Wish;
use crate::store::stock::SHARDS;

/// How often claims are ruled on again because others came in between. Each time one of them got on, so that more is a fault.
const TRIES: u32 = 5;

/// The claim of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedClaim {
    /// Names the claim.
    pub request_id: Uuid,
    /// Who gets the coupon.
    pub account_id: Uuid,
}

/// Claims that are decided together. No account is in it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Names it.
    pub batch_id: Uuid,
    /// Campaign of all of them.
    pub campaign_id: Uuid,
    /// In the order in which they are served.
    pub claims: Vec<QueuedClaim>,
}

/// What others have to know once a batch is committed.
#[derive(Clone, Debug)]
pub struct News {
    campaign: Campaign,
    issued: Vec<Claimant>,
}

/// Decides a batch and tells what became of each claim. `None`: there is no such campaign.
pub async fn decide<E>(
    connection: &mut Connection,
    batch: &Batch,
) -> Result<Option<News>, TxError<E>> {
    let Batch {
        batch_id,
        campaign_id,
        ..
    } = *batch;
    let home = i16::try_from(random::below(SHARDS.unsigned_abs().into())).unwrap_or_default();
    let mut rulings: Vec<Option<Ruling>> = vec![None; batch.claims.len()];
    let mut tries = 0;
    let campaign = loop {
        let open = (0..rulings.len()).filter(|&index| rulings[index].is_none());
        let open: Vec<usize> = open.collect();
        let claims: Vec<Claim> = open
            .iter()
            .map(|&index| claim(campaign_id, batch.claims[index]))
            .collect();
        let (campaign, ruled) = commit::rule(connection, campaign_id, home, &claims).await?;
        let Some(campaign) = campaign else {
            return Ok(None);
        };
        let mut again = false;
        for (index, ruling) in open.into_iter().zip(ruled) {
            match ruling {
                Ruling::Again => again = true,
                ruling => rulings[index] = Some(ruling),
            }
        }
        if !again {
            break campaign;
        }
        tries += 1;
        if tries == TRIES {
            return Err(TxError::Conflict);
        }
    };
    let ruled: Vec<(QueuedClaim, Ruling)> = batch
        .claims
        .iter()
        .copied()
        .zip(rulings.into_iter().flatten())
        .collect();
    let now = pg::now(connection).await?;
    let decided = CouponClaimsDecided {
        batch_id: batch_id.to_string(),
        campaign_id: campaign_id.to_string(),
        results: ruled.iter().map(result).collect(),
        decide_time: Some(to_timestamp(now)),
    };
    outbox::append(connection, &decided, batch_id).await?;
    let kept = decided.encode_to_vec();
    store::claim_batches::decide(connection, batch_id, now, &kept).await?;
    let issued = ruled.into_iter().filter_map(|(_, ruling)| match ruling {
        Ruling::Issued(coupon) => Some((coupon.account_id, coupon.coupon_id)),
        _ => None,
    });
    Ok(Some(News {
        campaign,
        issued: issued.collect(),
    }))
}

fn claim(campaign_id: Uuid, claim: QueuedClaim) -> Claim {
    let wish = Wish {
        account_id: claim.account_id,
        coupon_id: coupon_of(campaign_id, claim.account_id, claim.request_id),
    };
    Claim { wish, gated: false }
}

fn result((claim, ruling): &(QueuedClaim, Ruling)) -> ClaimResult {
    let refused = |refusal: ClaimRefusal| Some(Outcome::Refusal(refusal.into()));
    ClaimResult {
        request_id: claim.request_id.to_string(),
        account_id: claim.account_id.to_string(),
        outcome: match ruling {
            Ruling::Issued(coupon) | Ruling::Known(coupon) => {
                Some(Outcome::CouponId(coupon.coupon_id.to_string()))
            }
            Ruling::Already(_) => refused(ClaimRefusal::AlreadyClaimed),
            Ruling::SoldOut => refused(ClaimRefusal::SoldOut),
            Ruling::Shut(Shut::NotOpen(_)) => refused(ClaimRefusal::NotOpen),
            Ruling::Shut(Shut::Over) => refused(ClaimRefusal::WindowOver),
            // A ruling that is open is ruled on again.
            Ruling::Again => None,
        },
    }
}

/// Tells this instance and the gate what was committed. A gate that does not hear it is set right when it is compared.
pub async fn spread(desk: &Desk, news: News) {
    let News { campaign, issued } = news;
    let count = u64::try_from(issued.len()).unwrap_or_default();
    metrics::counter!("usher_coupon_issued_total").increment(count);
    let campaign = desk.note(campaign);
    let Some(gate) = desk.gate(&campaign).filter(|_| !issued.is_empty()) else {
        return;
    };
    let settled: Vec<(Claimant, Became)> = issued
        .into_iter()
        .map(|claimant| (claimant, Became::New))
        .collect();
    drop(gate.settle(&settled).await);
}
