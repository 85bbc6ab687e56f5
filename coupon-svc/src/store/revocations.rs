//! Coupons that are taken back.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{corrupt, sized};
use crate::domain::coupon::{Gone, Kept};
use crate::domain::grant::Left;

/// A coupon after a write.
#[derive(Debug, QueryableByName)]
pub(super) struct Written {
    #[diesel(sql_type = SqlUuid)]
    coupon_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    campaign_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    account_id: Uuid,
    #[diesel(sql_type = Text)]
    state: String,
}

/// Those that are REVOKED, of coupons that were written.
pub(super) fn gone(written: Vec<Written>) -> Vec<Gone> {
    let gone = written.into_iter();
    let gone = gone.filter(|row| row.state == Kept::Revoked.name());
    gone.map(|row| Gone {
        coupon_id: row.coupon_id,
        campaign_id: row.campaign_id,
        account_id: row.account_id,
    })
    .collect()
}

/// Takes back those of these locked coupons that nobody took back before. Answers those that are REVOKED by it; the others will be when their
/// booking lets them go.
pub async fn revoke(
    connection: &mut AsyncPgConnection,
    coupons: &[Uuid],
    time: DateTime<Utc>,
) -> QueryResult<Vec<Gone>> {
    let written: Vec<Written> = diesel::sql_query(
        "UPDATE coupon SET revoke_time = $2, state = CASE state WHEN 'AVAILABLE' THEN 'REVOKED' ELSE state END \
         WHERE coupon_id = ANY($1) AND revoke_time IS NULL RETURNING coupon_id, campaign_id, account_id, state",
    )
    .bind::<Array<SqlUuid>, _>(coupons)
    .bind::<Timestamptz, _>(time)
    .load(connection)
    .await?;
    Ok(gone(written))
}

/// How the coupons of a grant stand, each of which was to be taken back.
pub async fn left(connection: &mut AsyncPgConnection, grant_id: Uuid) -> QueryResult<Left> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        state: String,
        #[diesel(sql_type = BigInt)]
        coupons: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT c.state, count(*) AS coupons FROM grant_recipient r JOIN coupon c USING (coupon_id) WHERE r.grant_id = $1 GROUP BY 1",
    )
    .bind::<SqlUuid, _>(grant_id)
    .load(connection)
    .await?;
    let mut left = Left::default();
    for row in rows {
        *match row.state.as_str() {
            "REVOKED" => &mut left.revoked,
            "RESERVED" => &mut left.reserved,
            "USED" => &mut left.used,
            other => {
                return Err(corrupt(format!(
                    "coupon.state {other} after its revocation"
                )));
            }
        } = sized(row.coupons)?;
    }
    Ok(left)
}
