//! Takes coupons back. One that a booking holds or used stays with it, and is marked: it becomes REVOKED when it would come back, in
//! [`super::reservations`].

use std::collections::{BTreeSet, HashMap};

use mesh::outbox;
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{self, Connection, Database, DomainError, TxError};
use thiserror::Error;
use uuid::Uuid;

use super::manage::Operator;
use crate::domain::coupon::{Coupon, Gone};
use crate::publish;
use crate::store;
use crate::store::coupons::CouponLock;

/// Coupons of one call and of one transaction: tens of milliseconds, in which they are locked.
pub const COUPONS_MAX: usize = 500;

/// Why nothing was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such coupons, or of other sellers' campaigns: these.
    #[error("{} of the coupons do not exist", .0.len())]
    NoCoupons(Vec<Uuid>),
    /// The id was used for something else.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The first call with the id still runs.
    #[error("the first call with this request id still runs")]
    RequestInProgress,
}

impl DomainError for Refusal {}

/// Why nothing was taken back, or may not have been.
pub type Error = TxError<Refusal>;

/// Takes coupons back, once; answers them, ascending, as they are then.
pub async fn revoke(
    database: &Database,
    operator: Operator,
    key: Key,
    hash: RequestHash,
    coupons: BTreeSet<Uuid>,
) -> Result<Vec<Coupon>, Error> {
    let ids: Vec<Uuid> = coupons.into_iter().collect();
    let work = async move |connection: &mut Connection| {
        let first = match begin(connection, key.clone(), hash).await? {
            Begun::First(first) => Some(first),
            Begun::Replay { .. } => None,
            Begun::Reused => return Err(Refusal::RequestIdReused.into()),
            Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
        };
        theirs(connection, operator, &ids).await?;
        if let Some(first) = first {
            take_back(connection, &ids, CouponLock::On).await?;
            // There is no row for all of them: the request names them.
            first.record(connection, key.request_id).await?;
        }
        let mut found = store::coupons::of(connection, &ids).await?;
        let ids = ids.iter();
        Ok(ids.filter_map(|id| found.remove(id)).collect::<Vec<_>>())
    };
    database.transaction("revoke coupons", work).await
}

/// Refuses all unless each of the coupons exists and is of a campaign that the operator decides about. Neither ever changes.
async fn theirs(
    connection: &mut Connection,
    operator: Operator,
    ids: &[Uuid],
) -> Result<(), Error> {
    let found = store::coupons::of(connection, ids).await?;
    let campaigns: BTreeSet<Uuid> = found.values().map(|coupon| coupon.campaign_id).collect();
    let campaigns: Vec<Uuid> = campaigns.into_iter().collect();
    let campaigns = store::campaigns::of(connection, &campaigns).await?;
    let may: HashMap<Uuid, bool> = campaigns
        .iter()
        .map(|campaign| (campaign.campaign_id, operator.may(campaign)))
        .collect();
    let is_theirs = |id: &&Uuid| {
        let coupon = found.get(*id);
        coupon.is_some_and(|coupon| may.get(&coupon.campaign_id) == Some(&true))
    };
    let others = ids.iter().filter(|id| !is_theirs(id)).copied();
    let others: Vec<Uuid> = others.collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Refusal::NoCoupons(others).into())
}

/// Takes these coupons back and tells of those that are REVOKED by it. Only a test that shows what the lock is for turns it off.
pub async fn take_back(
    connection: &mut Connection,
    coupons: &[Uuid],
    lock: CouponLock,
) -> diesel::QueryResult<()> {
    store::coupons::lock(connection, coupons, lock).await?;
    let now = pg::now(connection).await?;
    let gone = store::revocations::revoke(connection, coupons, now).await?;
    tell(connection, &gone).await
}

/// Tells of coupons that just became REVOKED.
pub(super) async fn tell(connection: &mut Connection, gone: &[Gone]) -> diesel::QueryResult<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let now = pg::now(connection).await?;
    let events = gone.iter();
    let events = events.map(|gone| (gone.coupon_id, publish::revoked(gone, now)));
    outbox::append_all(connection, &events.collect::<Vec<_>>()).await
}
