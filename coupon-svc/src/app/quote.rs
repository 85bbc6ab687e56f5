//! What an order costs with coupons.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use mesh::pg::{self, Connection, Database, TxError};
use mesh::tasks::blocking;
use thiserror::Error;
use uuid::Uuid;

use crate::domain::best::{self, Candidate, Quote, State, Unused};
use crate::domain::coupon::{Coupon, Kept};
use crate::domain::order::{CANDIDATES_MAX, Order};
use crate::domain::terms::Terms;
use crate::store;
use crate::store::coupons::{Candidates, Sold};

/// Why there is no quote.
#[derive(Debug, Error)]
pub enum Failure {
    /// These of the chosen ones cannot be used.
    #[error("{} of the coupons cannot be used", .0.len())]
    NotUsable(Vec<Unused>),
    /// The database.
    #[error(transparent)]
    Database(#[from] TxError<Infallible>),
    /// A fault of ours.
    #[error("the search did not end")]
    Fault(#[from] tokio::task::JoinError),
}

/// Quotes an order with the coupons that were chosen, or with the best of all where none was. The answer is not exact where the account
/// has more that may be used than are looked at.
pub async fn quote(
    database: &Database,
    account_id: Uuid,
    order: Order,
    chosen: BTreeSet<Uuid>,
) -> Result<Quote, Failure> {
    let ids: Vec<Uuid> = chosen.iter().copied().collect();
    let sold = sold(&order);
    let read = async move |connection: &mut Connection| {
        let now = pg::now(connection).await?;
        let found = if ids.is_empty() {
            store::coupons::candidates(connection, account_id, &sold, now, CANDIDATES_MAX).await?
        } else {
            let mut found = store::coupons::of(connection, &ids).await?;
            found.retain(|_, coupon| coupon.account_id == account_id);
            Candidates {
                coupons: found.into_values().collect(),
                cut: false,
            }
        };
        let campaigns = found.coupons.iter().map(|coupon| coupon.campaign_id);
        let campaigns: BTreeSet<Uuid> = campaigns.collect();
        let campaigns: Vec<Uuid> = campaigns.into_iter().collect();
        let campaigns = store::campaigns::of(connection, &campaigns).await?;
        Ok((now, found, campaigns))
    };
    let (now, Candidates { coupons, cut }, campaigns) = database.read(read).await?;
    let terms = campaigns.into_iter();
    let terms = terms.map(|campaign| (campaign.campaign_id, Arc::new(campaign.settings.terms)));
    let candidates = candidates(&coupons, &terms.collect());
    // Some milliseconds at most, which others on this thread would wait for.
    let quoted = blocking(move || {
        if chosen.is_empty() {
            let mut quote = best::best(&order, &candidates, now);
            quote.exact &= !cut;
            Ok(quote)
        } else {
            best::apply(&order, &chosen, &candidates, now)
        }
    });
    quoted.await?.map_err(Failure::NotUsable)
}

fn sold(order: &Order) -> Sold {
    let sellers: BTreeSet<Uuid> = order.lines.iter().map(|line| line.seller_id).collect();
    Sold {
        currency: order.currency,
        sellers: sellers.into_iter().collect(),
    }
}

fn candidates(coupons: &[Coupon], terms: &HashMap<Uuid, Arc<Terms>>) -> Vec<Candidate> {
    let candidate = |coupon: &Coupon| {
        Some(Candidate {
            coupon_id: coupon.coupon_id,
            campaign_id: coupon.campaign_id,
            terms: Arc::clone(terms.get(&coupon.campaign_id)?),
            valid_from: coupon.valid_from,
            expire_time: coupon.expire_time,
            state: match coupon.kept {
                Kept::Available => State::Usable,
                Kept::Reserved => State::Reserved,
                Kept::Used => State::Used,
                Kept::Revoked => State::Revoked,
            },
        })
    };
    coupons.iter().filter_map(candidate).collect()
}
