//! Takes back what a grant gave, a batch a transaction. What was taken back stays so; a call that ended in the middle is repeated.

use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Connection, TxError};
use uuid::Uuid;

use super::{Error, Grants, Refusal, theirs};
use crate::app::manage::Operator;
use crate::app::revocations::{COUPONS_MAX, take_back};
use crate::domain::grant::{Grant, Left, Outcome};
use crate::store;
use crate::store::coupons::CouponLock;

impl Grants {
    /// Takes back every coupon of a grant to which nobody is added any more; answers it, and how its coupons stand then.
    pub async fn revoke(
        &self,
        operator: Operator,
        key: Key,
        hash: RequestHash,
        grant_id: Uuid,
    ) -> Result<(Grant, Left), Error> {
        let work = async move |connection: &mut Connection| {
            let first = match begin(connection, key.clone(), hash).await? {
                Begun::First(first) => Some(first),
                // The first call may have ended in the middle.
                Begun::Replay { .. } => None,
                Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
            };
            let grant = theirs(connection, operator, grant_id, false).await?;
            let grant = grant.ok_or(Refusal::NoGrant)?;
            if grant.finish_time.is_none() {
                return Err(Refusal::Unfinished.into());
            }
            if let Some(first) = first {
                first.record(connection, grant_id).await?;
            }
            Ok(grant)
        };
        let grant = self.database.transaction("revoke grant", work).await?;
        let mut after = 0;
        while let Some(last) = self.revoke_batch(grant_id, after).await? {
            after = last;
        }
        let read = async move |connection: &mut Connection| {
            store::revocations::left(connection, grant_id).await
        };
        let left = self.database.read(read).await.map_err(TxError::widen)?;
        Ok((grant, left))
    }

    /// Takes the coupons of the accounts behind `after` back, as many as one transaction has. Answers the place of the last one; `None`: there
    /// is nobody left.
    async fn revoke_batch(&self, grant_id: Uuid, after: u32) -> Result<Option<u32>, Error> {
        let work = async move |connection: &mut Connection| {
            let limit = i64::try_from(COUPONS_MAX).unwrap_or(i64::MAX);
            let granted = Some(Outcome::Granted(Uuid::nil()).name());
            let recipients =
                store::grants::recipients(connection, grant_id, granted, Some(after), limit)
                    .await?;
            let coupons = recipients.iter().filter_map(|one| one.outcome.coupon_id());
            take_back(connection, &coupons.collect::<Vec<_>>(), CouponLock::On).await?;
            Ok(recipients.last().map(|one| one.n))
        };
        self.database.transaction("revoke a batch", work).await
    }
}
