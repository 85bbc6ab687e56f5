//! What people and operators look up.

use std::collections::HashMap;
use std::convert::Infallible;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use mesh::clock;
use mesh::page::{Page, PageRequest};
use mesh::pg::{Connection, Database, TxError};
use uuid::Uuid;

use super::manage::{Error, Operator, Refusal};
use crate::domain::campaign::Campaign;
use crate::domain::coupon::{Asked, Coupon, Issued, State};
use crate::store;

/// Place of a coupon in its owner's list.
pub type Place = (DateTime<Utc>, Uuid);

/// A coupon of `account_id`, or with `None` anybody's, and its campaign.
pub async fn coupon(
    database: &Database,
    account_id: Option<Uuid>,
    coupon_id: Uuid,
) -> Result<Option<(Coupon, Campaign)>, TxError<Infallible>> {
    let read = async move |connection: &mut Connection| {
        let mut found = store::coupons::of(connection, &[coupon_id]).await?;
        let Some(coupon) = found.remove(&coupon_id) else {
            return Ok(None);
        };
        if account_id.is_some_and(|account_id| account_id != coupon.account_id) {
            return Ok(None);
        }
        let campaign = store::campaigns::find(connection, coupon.campaign_id, false).await?;
        Ok(campaign.map(|campaign| (coupon, campaign)))
    };
    database.read(read).await
}

/// Coupons of an account, those that expire first at the head, and their campaigns.
pub async fn coupons(
    database: &Database,
    account_id: Uuid,
    state: Option<State>,
    page: PageRequest<Place>,
) -> Result<(Page<Coupon, Place>, HashMap<Uuid, Campaign>), TxError<Infallible>> {
    let (after, limit, now) = (page.after, page.fetch(), clock::now());
    let read = async move |connection: &mut Connection| {
        let coupons =
            store::coupons::list(connection, account_id, state, now, after, limit).await?;
        let campaigns = campaigns(connection, coupons.iter()).await?;
        Ok((coupons, campaigns))
    };
    let (coupons, campaigns) = database.read(read).await?;
    let page = page.cut(coupons, |coupon| (coupon.expire_time, coupon.coupon_id));
    Ok((page, campaigns))
}

/// Coupons that an operator asks for, by campaign and account, and their campaigns.
pub async fn issued(
    database: &Database,
    operator: Operator,
    asked: Asked,
    page: PageRequest<Uuid>,
) -> Result<(Page<Issued, Uuid>, HashMap<Uuid, Campaign>), Error> {
    let (after, limit, now) = (page.after, page.fetch(), clock::now());
    let read = async move |connection: &mut Connection| {
        if let Some(campaign_id) = asked.campaign_id {
            let campaign = store::campaigns::find(connection, campaign_id, false).await?;
            if !campaign.is_some_and(|campaign| operator.may(&campaign)) {
                return Ok(None);
            }
        }
        let seller = operator.seller_id();
        let issued = store::issued::list(connection, seller, asked, now, after, limit).await?;
        let coupons = issued.iter().map(|issued| &issued.coupon);
        let campaigns = campaigns(connection, coupons).await?;
        Ok(Some((issued, campaigns)))
    };
    let found = database.read(read).await.map_err(TxError::widen)?;
    let (issued, campaigns) = found.ok_or(Refusal::NoCampaign)?;
    let page = page.cut(issued, |issued| issued.coupon.coupon_id);
    Ok((page, campaigns))
}

/// The campaigns of coupons, by id.
async fn campaigns(
    connection: &mut Connection,
    coupons: impl Iterator<Item = &Coupon>,
) -> QueryResult<HashMap<Uuid, Campaign>> {
    let mut ids: Vec<Uuid> = coupons.map(|coupon| coupon.campaign_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let campaigns = store::campaigns::of(connection, &ids).await?.into_iter();
    Ok(campaigns
        .map(|campaign| (campaign.campaign_id, campaign))
        .collect())
}
