//! What people look up.

use std::collections::HashMap;
use std::convert::Infallible;

use chrono::{DateTime, Utc};
use mesh::clock;
use mesh::page::{Page, PageRequest};
use mesh::pg::{Connection, Database, TxError};
use uuid::Uuid;

use crate::domain::campaign::Campaign;
use crate::domain::coupon::{Coupon, State};
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
        let mut ids: Vec<Uuid> = coupons.iter().map(|coupon| coupon.campaign_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let campaigns = store::campaigns::of(connection, &ids).await?;
        Ok((coupons, campaigns))
    };
    let (coupons, campaigns) = database.read(read).await?;
    let campaigns = campaigns.into_iter();
    let campaigns = campaigns.map(|campaign| (campaign.campaign_id, campaign));
    let page = page.cut(coupons, |coupon| (coupon.expire_time, coupon.coupon_id));
    Ok((page, campaigns.collect()))
}
