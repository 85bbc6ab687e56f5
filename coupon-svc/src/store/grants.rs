//! Grants and their accounts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{coupon_grant, grant_recipient};
use super::{corrupt, sized};
use crate::domain::grant::{Grant, Outcome, Recipient, State};

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = coupon_grant, treat_none_as_null = true)]
struct Row {
    grant_id: Uuid,
    campaign_id: Uuid,
    state: String,
    total: i32,
    granted: i32,
    already_had: i32,
    no_stock: i32,
    too_late: i32,
    create_time: DateTime<Utc>,
    finish_time: Option<DateTime<Utc>>,
}

impl Row {
    fn of(grant: &Grant) -> QueryResult<Self> {
        Ok(Self {
            grant_id: grant.grant_id,
            campaign_id: grant.campaign_id,
            state: grant.state.name().to_owned(),
            total: sized(grant.total)?,
            granted: sized(grant.granted)?,
            already_had: sized(grant.already_had)?,
            no_stock: sized(grant.no_stock)?,
            too_late: sized(grant.too_late)?,
            create_time: grant.create_time,
            finish_time: grant.finish_time,
        })
    }

    fn read(self) -> QueryResult<Grant> {
        let state = State::ALL
            .into_iter()
            .find(|state| state.name() == self.state);
        Ok(Grant {
            grant_id: self.grant_id,
            campaign_id: self.campaign_id,
            state: state.ok_or_else(|| corrupt(format!("coupon_grant.state {}", self.state)))?,
            total: sized(self.total)?,
            granted: sized(self.granted)?,
            already_had: sized(self.already_had)?,
            no_stock: sized(self.no_stock)?,
            too_late: sized(self.too_late)?,
            create_time: self.create_time,
            finish_time: self.finish_time,
        })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = grant_recipient)]
struct RecipientRow {
    n: i32,
    account_id: Uuid,
    outcome: String,
    coupon_id: Option<Uuid>,
}

impl RecipientRow {
    fn read(self) -> QueryResult<Recipient> {
        let outcome = match (self.outcome.as_str(), self.coupon_id) {
            ("PENDING", None) => Outcome::Pending,
            ("GRANTED", Some(coupon_id)) => Outcome::Granted(coupon_id),
            ("ALREADY_HAD", None) => Outcome::AlreadyHad,
            ("NO_STOCK", None) => Outcome::NoStock,
            ("TOO_LATE", None) => Outcome::TooLate,
            (other, _) => return Err(corrupt(format!("grant_recipient.outcome {other}"))),
        };
        Ok(Recipient {
            n: sized(self.n)?,
            account_id: self.account_id,
            outcome,
        })
    }
}

/// Adds a grant and its accounts, in their order, and the request that ordered it.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    new: &Grant,
    accounts: &[Uuid],
    (request_key, request_hash): (Uuid, &[u8]),
) -> QueryResult<()> {
    diesel::insert_into(coupon_grant::table)
        .values((
            Row::of(new)?,
            coupon_grant::request_key.eq(request_key),
            coupon_grant::request_hash.eq(request_hash),
        ))
        .execute(connection)
        .await?;
    diesel::sql_query(
        "INSERT INTO grant_recipient (grant_id, n, account_id) SELECT $1, n, account_id FROM unnest($2::uuid[]) WITH ORDINALITY AS a(account_id, n)",
    )
    .bind::<SqlUuid, _>(new.grant_id)
    .bind::<Array<SqlUuid>, _>(accounts)
    .execute(connection)
    .await?;
    Ok(())
}

/// The grant that a request ordered, and what it asked.
pub async fn ordered(
    connection: &mut AsyncPgConnection,
    request_key: Uuid,
) -> QueryResult<Option<(Grant, Vec<u8>)>> {
    let row: Option<(Row, Option<Vec<u8>>)> = coupon_grant::table
        .filter(coupon_grant::request_key.eq(request_key))
        .select((Row::as_select(), coupon_grant::request_hash))
        .first(connection)
        .await
        .optional()?;
    row.map(|(row, hash)| Ok((row.read()?, hash.unwrap_or_default())))
        .transpose()
}

/// A grant; with `lock` nobody else changes it until the transaction ends.
pub async fn find(
    connection: &mut AsyncPgConnection,
    grant_id: Uuid,
    lock: bool,
) -> QueryResult<Option<Grant>> {
    let query = coupon_grant::table.find(grant_id).select(Row::as_select());
    let row: Option<Row> = if lock {
        let locked = query.for_no_key_update();
        locked.first(connection).await.optional()?
    } else {
        query.first(connection).await.optional()?
    };
    row.map(Row::read).transpose()
}

/// Grants of a campaign, newest first, those before `after`.
pub async fn list(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Grant>> {
    let rows: Vec<Row> = coupon_grant::table
        .filter(coupon_grant::campaign_id.eq(campaign_id))
        .filter(coupon_grant::grant_id.lt(after.unwrap_or(Uuid::max())))
        .order(coupon_grant::grant_id.desc())
        .limit(limit)
        .select(Row::as_select())
        .load(connection)
        .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Any grant that is not finished and that nobody works on, locked. Any, so that one that always fails does not keep the others.
pub async fn next(connection: &mut AsyncPgConnection) -> QueryResult<Option<Grant>> {
    let row: Option<Row> = coupon_grant::table
        .filter(coupon_grant::finish_time.is_null())
        .order(diesel::dsl::sql::<diesel::sql_types::Double>("random()"))
        .select(Row::as_select())
        .for_no_key_update()
        .skip_locked()
        .first(connection)
        .await
        .optional()?;
    row.map(Row::read).transpose()
}

/// The first accounts of a grant that were not looked at.
pub async fn pending(
    connection: &mut AsyncPgConnection,
    grant_id: Uuid,
    limit: i64,
) -> QueryResult<Vec<Recipient>> {
    let pending = Some(Outcome::Pending.name());
    recipients(connection, grant_id, pending, None, limit).await
}

/// Accounts of a grant as they were named, those behind `after`; with `outcome` those that got this.
pub async fn recipients(
    connection: &mut AsyncPgConnection,
    grant_id: Uuid,
    outcome: Option<&'static str>,
    after: Option<u32>,
    limit: i64,
) -> QueryResult<Vec<Recipient>> {
    let after: i32 = sized(after.unwrap_or_default())?;
    let mut query = grant_recipient::table
        .filter(grant_recipient::grant_id.eq(grant_id))
        .filter(grant_recipient::n.gt(after))
        .order(grant_recipient::n)
        .limit(limit)
        .select(RecipientRow::as_select())
        .into_boxed();
    if let Some(outcome) = outcome {
        query = query.filter(grant_recipient::outcome.eq(outcome));
    }
    let rows: Vec<RecipientRow> = query.load(connection).await?;
    rows.into_iter().map(RecipientRow::read).collect()
}

/// Writes where a grant stands.
pub async fn save(connection: &mut AsyncPgConnection, changed: &Grant) -> QueryResult<()> {
    diesel::update(coupon_grant::table.find(changed.grant_id))
        .set(Row::of(changed)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes what accounts got.
pub async fn note(
    connection: &mut AsyncPgConnection,
    grant_id: Uuid,
    recipients: &[Recipient],
) -> QueryResult<()> {
    let places = recipients.iter().map(|one| sized(one.n));
    let places: Vec<i32> = places.collect::<QueryResult<_>>()?;
    let outcomes: Vec<&str> = recipients.iter().map(|one| one.outcome.name()).collect();
    let coupons: Vec<Option<Uuid>> = recipients
        .iter()
        .map(|one| one.outcome.coupon_id())
        .collect();
    diesel::sql_query(
        "UPDATE grant_recipient r SET outcome = w.outcome, coupon_id = w.coupon_id \
         FROM unnest($2::int[], $3::text[], $4::uuid[]) AS w(n, outcome, coupon_id) WHERE r.grant_id = $1 AND r.n = w.n",
    )
    .bind::<SqlUuid, _>(grant_id)
    .bind::<Array<Integer>, _>(places)
    .bind::<Array<Text>, _>(outcomes)
    .bind::<Array<Nullable<SqlUuid>>, _>(coupons)
    .execute(connection)
    .await?;
    Ok(())
}
