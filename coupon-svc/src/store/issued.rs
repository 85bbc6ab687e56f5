//! Coupons as operators look through them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::coupons::{Row, stands};
use super::schema::{campaign, coupon};
use crate::domain::coupon::{Asked, Holder, Issued};

/// Coupons that somebody asks for, by campaign and account, behind coupon `after`; of `seller` those of their campaigns.
pub async fn list(
    connection: &mut AsyncPgConnection,
    seller: Option<Uuid>,
    asked: Asked,
    now: DateTime<Utc>,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Issued>> {
    let mut query = coupon::table
        .order((coupon::campaign_id, coupon::account_id, coupon::n))
        .limit(limit)
        .select((Row::as_select(), coupon::revoke_time))
        .into_boxed();
    if let Some(seller_id) = seller {
        let theirs = campaign::table
            .filter(campaign::seller_id.eq(seller_id))
            .select(campaign::campaign_id);
        query = query.filter(coupon::campaign_id.eq_any(theirs));
    }
    if let Some(campaign_id) = asked.campaign_id {
        query = query.filter(coupon::campaign_id.eq(campaign_id));
    }
    if let Some(account_id) = asked.account_id {
        query = query.filter(coupon::account_id.eq(account_id));
    }
    if let Some(state) = asked.state {
        query = query.filter(stands(state, now));
    }
    if let Some(coupon_id) = after {
        let place: Option<(Uuid, Uuid, i16)> = coupon::table
            .find(coupon_id)
            .select((coupon::campaign_id, coupon::account_id, coupon::n))
            .first(connection)
            .await
            .optional()?;
        // Nothing removes a coupon: whoever names another one made it up.
        let Some((campaign_id, account_id, n)) = place else {
            return Ok(Vec::new());
        };
        let behind = coupon::account_id
            .gt(account_id)
            .or(coupon::account_id.eq(account_id).and(coupon::n.gt(n)));
        query = if asked.campaign_id.is_some() {
            // Said twice, so that the index is entered there and not read up to it.
            query.filter(coupon::account_id.ge(account_id).and(behind))
        } else {
            let same = coupon::campaign_id.eq(campaign_id).and(behind);
            query.filter(coupon::campaign_id.gt(campaign_id).or(same))
        };
    }
    let rows: Vec<(Row, Option<DateTime<Utc>>)> = query.load(connection).await?;
    let ids: Vec<Uuid> = rows.iter().map(|(row, _)| row.coupon_id).collect();
    let holders = holders(connection, &ids).await?;
    let issued = rows.into_iter().map(|(row, revoke_time)| {
        let coupon = row.read()?;
        Ok(Issued {
            holder: holders.get(&coupon.coupon_id).copied(),
            coupon,
            revoke_time,
        })
    });
    issued.collect()
}

/// Who holds these coupons, or used them last and did not give them back.
async fn holders(
    connection: &mut AsyncPgConnection,
    coupons: &[Uuid],
) -> QueryResult<HashMap<Uuid, Holder>> {
    #[derive(QueryableByName)]
    struct HolderRow {
        #[diesel(sql_type = SqlUuid)]
        coupon_id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        reservation_id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        booking_id: Uuid,
    }
    let rows: Vec<HolderRow> = diesel::sql_query(
        "SELECT DISTINCT ON (h.coupon_id) h.coupon_id, r.reservation_id, r.booking_id \
         FROM reservation_coupon h JOIN reservation r USING (reservation_id) \
         WHERE h.coupon_id = ANY($1) AND NOT h.restored AND r.state IN ('RESERVED', 'USED') \
         ORDER BY h.coupon_id, h.held DESC, r.change_time DESC",
    )
    .bind::<Array<SqlUuid>, _>(coupons)
    .load(connection)
    .await?;
    let holders = rows.into_iter().map(|row| {
        let holder = Holder {
            reservation_id: row.reservation_id,
            booking_id: row.booking_id,
        };
        (row.coupon_id, holder)
    });
    Ok(holders.collect())
}
