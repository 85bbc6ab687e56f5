//! Coupons.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mesh::money::Currency;
use uuid::Uuid;

use super::schema::coupon;
use super::{corrupt, sized};
use crate::domain::coupon::{Counts, Coupon, Kept, State};

#[derive(Debug, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = coupon)]
pub(super) struct Row {
    pub(super) coupon_id: Uuid,
    campaign_id: Uuid,
    account_id: Uuid,
    state: String,
    issue_time: DateTime<Utc>,
    valid_from_time: DateTime<Utc>,
    expire_time: DateTime<Utc>,
}

impl Row {
    pub(super) fn read(self) -> QueryResult<Coupon> {
        let kept = Kept::ALL.into_iter().find(|kept| kept.name() == self.state);
        Ok(Coupon {
            coupon_id: self.coupon_id,
            campaign_id: self.campaign_id,
            account_id: self.account_id,
            kept: kept.ok_or_else(|| corrupt(format!("coupon.state {}", self.state)))?,
            issue_time: self.issue_time,
            valid_from: self.valid_from_time,
            expire_time: self.expire_time,
        })
    }
}

/// What a claim wants to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// For whom.
    pub account_id: Uuid,
    /// Which; follows from the request.
    pub coupon_id: Uuid,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    coupon_id: Uuid,
}

/// Makes coupons for accounts that have fewer than `most` of the campaign, no account twice among the wishes. Answers those that are new.
///
/// Rows are made by account, so that two transactions that want the same ones wait in one order.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    most: u32,
    (issue_time, valid_from, expire_time): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>),
    wishes: &[Wish],
) -> QueryResult<Vec<Uuid>> {
    let most: i32 = sized(most)?;
    let rows: Vec<Id> = diesel::sql_query(
        "INSERT INTO coupon (coupon_id, campaign_id, account_id, n, issue_time, valid_from_time, expire_time, uses_max) \
         SELECT w.coupon_id, $1, w.account_id, w.n, $2, $3, $4, (SELECT uses_per_coupon FROM campaign WHERE campaign_id = $1) FROM ( \
             SELECT w.coupon_id, w.account_id, 1 + (SELECT count(*) FROM coupon c WHERE c.campaign_id = $1 AND c.account_id = w.account_id) AS n \
             FROM unnest($5::uuid[], $6::uuid[]) AS w(coupon_id, account_id)) w \
         WHERE w.n <= $7 ORDER BY w.account_id ON CONFLICT DO NOTHING RETURNING coupon_id",
    )
    .bind::<SqlUuid, _>(campaign_id)
    .bind::<Timestamptz, _>(issue_time)
    .bind::<Timestamptz, _>(valid_from)
    .bind::<Timestamptz, _>(expire_time)
    .bind::<Array<SqlUuid>, _>(wishes.iter().map(|wish| wish.coupon_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(wishes.iter().map(|wish| wish.account_id).collect::<Vec<_>>())
    .bind::<Integer, _>(most)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.coupon_id).collect())
}

/// Takes back coupons that were made in this transaction.
pub async fn unmake(connection: &mut AsyncPgConnection, coupons: &[Uuid]) -> QueryResult<()> {
    if coupons.is_empty() {
        return Ok(());
    }
    diesel::delete(coupon::table.filter(coupon::coupon_id.eq_any(coupons)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Those of these coupons that exist.
pub async fn of(
    connection: &mut AsyncPgConnection,
    coupons: &[Uuid],
) -> QueryResult<HashMap<Uuid, Coupon>> {
    let rows: Vec<Row> = coupon::table
        .filter(coupon::coupon_id.eq_any(coupons))
        .select(Row::as_select())
        .load(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok((row.coupon_id, row.read()?)))
        .collect()
}

/// Whether coupons are locked before they are looked at. Only a test that shows what the lock is for turns it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponLock {
    /// As it must be.
    On,
    /// To show the double use that the lock prevents first, and the index last.
    Off,
}

/// Locks those of these coupons that exist, ascending, and answers them.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    coupons: &[Uuid],
    lock: CouponLock,
) -> QueryResult<HashMap<Uuid, Coupon>> {
    if lock == CouponLock::On {
        coupon::table
            .filter(coupon::coupon_id.eq_any(coupons))
            .order(coupon::coupon_id)
            .select(coupon::coupon_id)
            .for_no_key_update()
            .load::<Uuid>(connection)
            .await?;
    }
    of(connection, coupons).await
}

/// The coupons of a campaign that these accounts have, by account.
pub async fn owned(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    accounts: &[Uuid],
) -> QueryResult<HashMap<Uuid, Vec<Uuid>>> {
    let rows: Vec<(Uuid, Uuid)> = coupon::table
        .filter(coupon::campaign_id.eq(campaign_id))
        .filter(coupon::account_id.eq_any(accounts))
        .order((coupon::account_id, coupon::n))
        .select((coupon::account_id, coupon::coupon_id))
        .load(connection)
        .await?;
    let mut owned: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (account_id, coupon_id) in rows {
        owned.entry(account_id).or_default().push(coupon_id);
    }
    Ok(owned)
}

/// Owners of coupons of a campaign after `after`, with how many each has.
pub async fn owners(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<(Uuid, i64)>> {
    coupon::table
        .filter(coupon::campaign_id.eq(campaign_id))
        .filter(coupon::account_id.gt(after.unwrap_or(Uuid::nil())))
        .group_by(coupon::account_id)
        .order(coupon::account_id)
        .select((coupon::account_id, diesel::dsl::count_star()))
        .limit(limit)
        .load(connection)
        .await
}

/// Whether a coupon stands so at `now`. States are written out, because an index is of some of them.
pub(super) fn stands(
    state: State,
    now: DateTime<Utc>,
) -> Box<dyn BoxableExpression<coupon::table, Pg, SqlType = Bool>> {
    let available = || sql::<Bool>("coupon.state = 'AVAILABLE'");
    match state {
        State::Available => Box::new(available().and(coupon::expire_time.gt(now))),
        State::Expired => Box::new(available().and(coupon::expire_time.le(now))),
        State::Reserved => Box::new(sql::<Bool>("coupon.state = 'RESERVED'")),
        State::Used => Box::new(sql::<Bool>("coupon.state = 'USED'")),
        State::Revoked => Box::new(sql::<Bool>("coupon.state = 'REVOKED'")),
    }
}

/// Coupons of an account, those that expire first at the head, behind `after`; with `state` those that stand so at `now`.
pub async fn list(
    connection: &mut AsyncPgConnection,
    account_id: Uuid,
    state: Option<State>,
    now: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Coupon>> {
    let mut query = coupon::table
        .filter(coupon::account_id.eq(account_id))
        .order((coupon::expire_time, coupon::coupon_id))
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some((time, coupon_id)) = after {
        let later = coupon::expire_time.gt(time).or(coupon::expire_time
            .eq(time)
            .and(coupon::coupon_id.gt(coupon_id)));
        query = query.filter(later);
    }
    if let Some(state) = state {
        query = query.filter(stands(state, now));
    }
    let rows: Vec<Row> = query.load(connection).await?;
    rows.into_iter().map(Row::read).collect()
}

/// What has to fit before it is looked at whether a coupon is for an order.
#[derive(Clone, Debug)]
pub struct Sold {
    /// Currency of its prices.
    pub currency: Currency,
    /// Who sells its lines.
    pub sellers: Vec<Uuid>,
}

/// Coupons of an account that are looked at for an order.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// Those that expire first at the head.
    pub coupons: Vec<Coupon>,
    /// Whether others are left out that could be among the best.
    pub cut: bool,
}

#[derive(QueryableByName)]
struct CandidateRow {
    #[diesel(embed)]
    found: Row,
    #[diesel(sql_type = Bool)]
    may_be_used: bool,
}

/// At most `most` coupons of an account that are not over at `now`: first those that may be used for the order, of one campaign the one
/// that expires first, as no set of coupons has another one of it; then the others.
///
/// Whoever owns their campaigns, each seller and the platform, has its turn: a seller that gives many coupons away does not keep those of
/// others from being looked at.
pub async fn candidates(
    connection: &mut AsyncPgConnection,
    account_id: Uuid,
    sold: &Sold,
    now: DateTime<Utc>,
    most: usize,
) -> QueryResult<Candidates> {
    let limit: i64 = sized(most)?;
    let mut rows: Vec<CandidateRow> = diesel::sql_query(
        "WITH mine AS ( \
             SELECT c.*, k.seller_id, c.state = 'AVAILABLE' AND c.valid_from_time <= $2 AND k.terms->>'currency' = $3 \
                 AND (k.seller_id IS NULL OR k.seller_id = ANY($4)) AS fits \
             FROM coupon c JOIN campaign k ON k.campaign_id = c.campaign_id \
             WHERE c.account_id = $1 AND c.expire_time > $2 AND c.state IN ('AVAILABLE', 'RESERVED')), \
         once AS ( \
             SELECT *, fits AND row_number() OVER (PARTITION BY campaign_id, fits ORDER BY expire_time, coupon_id) = 1 AS may_be_used FROM mine) \
         SELECT coupon_id, campaign_id, account_id, state, issue_time, valid_from_time, expire_time, may_be_used FROM once \
         ORDER BY may_be_used DESC, row_number() OVER (PARTITION BY may_be_used, seller_id ORDER BY expire_time, coupon_id), \
             expire_time, coupon_id LIMIT $5",
    )
    .bind::<SqlUuid, _>(account_id)
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(sold.currency.code())
    .bind::<Array<SqlUuid>, _>(&sold.sellers)
    .bind::<BigInt, _>(limit + 1)
    .load(connection)
    .await?;
    let cut = rows.get(most).is_some_and(|first| first.may_be_used);
    rows.truncate(most);
    let coupons = rows.into_iter().map(|row| row.found.read());
    let mut coupons: Vec<Coupon> = coupons.collect::<QueryResult<_>>()?;
    coupons.sort_unstable_by_key(|coupon| (coupon.expire_time, coupon.coupon_id));
    Ok(Candidates { coupons, cut })
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    coupons: i64,
}

/// How many coupons of a campaign stand where at `now`.
pub async fn counts(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<Counts> {
    let rows: Vec<CountRow> = diesel::sql_query(
        "SELECT CASE WHEN state = 'AVAILABLE' AND expire_time <= $2 THEN 'EXPIRED' ELSE state END AS state, count(*) AS coupons \
         FROM coupon WHERE campaign_id = $1 GROUP BY 1",
    )
    .bind::<SqlUuid, _>(campaign_id)
    .bind::<Timestamptz, _>(now)
    .load(connection)
    .await?;
    let mut counts = Counts::default();
    for row in rows {
        let coupons: u64 = sized(row.coupons)?;
        *match row.state.as_str() {
            "AVAILABLE" => &mut counts.available,
            "RESERVED" => &mut counts.reserved,
            "USED" => &mut counts.used,
            "EXPIRED" => &mut counts.expired,
            "REVOKED" => &mut counts.revoked,
            other => return Err(corrupt(format!("coupon.state {other}"))),
        } = coupons;
    }
    Ok(counts)
}
