//! Refunds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mesh::money::{Currency, Money};
use mesh::pg::idempotency::RequestHash;
use uuid::Uuid;

use super::corrupt;
use super::schema::{late_capture, payment, refund};
use super::words::Word;
use crate::domain::{NewRefund, RefundCause, RefundRow, RefundState};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = refund)]
struct Row {
    refund_id: Uuid,
    payment_id: Uuid,
    amount: i64,
    currency: String,
    cause: String,
    request_hash: Option<Vec<u8>>,
    idempotency_key: Uuid,
    state: String,
    attempts: i32,
    last_error: Option<String>,
    create_time: DateTime<Utc>,
    retries: i32,
    key_time: Option<DateTime<Utc>>,
    park_time: Option<DateTime<Utc>>,
}

/// Refunds that are shown of a payment: more than one for each line of a booking, which is what is cancelled at a time.
const SHOWN_MAX: i64 = 100;

/// Inserts a refund that is due now.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
    new: &NewRefund,
    hash: Option<&RequestHash>,
) -> QueryResult<()> {
    diesel::insert_into(refund::table)
        .values((
            refund::refund_id.eq(new.refund_id),
            refund::payment_id.eq(payment_id),
            refund::amount.eq(new.amount.minor_units),
            refund::currency.eq(new.amount.currency.code()),
            refund::cause.eq(new.cause.word()),
            refund::request_hash.eq(hash.map(|hash| hash.0.to_vec())),
            refund::idempotency_key.eq(new.idempotency_key()),
            refund::state.eq(RefundState::Pending.word()),
            refund::next_attempt_time.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// A refund and what was asked, when somebody asked for it.
pub async fn find(
    connection: &mut AsyncPgConnection,
    refund_id: Uuid,
) -> QueryResult<Option<(RefundRow, Option<Vec<u8>>)>> {
    let row: Option<Row> = refund::table
        .find(refund_id)
        .select(Row::as_select())
        .first(connection)
        .await
        .optional()?;
    row.map(|row| Ok((read(&row)?, row.request_hash)))
        .transpose()
}

/// The refunds of a payment, oldest first.
pub async fn of_payment(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
) -> QueryResult<Vec<RefundRow>> {
    let rows: Vec<Row> = refund::table
        .filter(refund::payment_id.eq(payment_id))
        .order((refund::create_time, refund::refund_id))
        .select(Row::as_select())
        .limit(SHOWN_MAX)
        .load(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// How many refunds are parked, and the one that was decided first.
pub async fn parked(connection: &mut AsyncPgConnection) -> QueryResult<(Option<Uuid>, i64)> {
    let parked = refund::table.filter(refund::state.eq(RefundState::Parked.word()));
    let count = parked.count().get_result(connection).await?;
    let oldest = parked
        .order(refund::create_time)
        .select(refund::refund_id)
        .first(connection)
        .await
        .optional()?;
    Ok((oldest, count))
}

/// The refund of a payment that was done last.
pub async fn last_done(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
) -> QueryResult<Option<RefundRow>> {
    let row: Option<Row> = refund::table
        .filter(
            refund::payment_id
                .eq(payment_id)
                .and(refund::state.eq(RefundState::Done.word())),
        )
        .order(refund::done_time.desc())
        .select(Row::as_select())
        .first(connection)
        .await
        .optional()?;
    row.as_ref().map(read).transpose()
}

/// What the sender of a refund has to know.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The refund; its `attempts` names this claim.
    pub refund: RefundRow,
    /// Provider that has the money.
    pub provider: String,
    /// Key of the captured payment.
    pub payment_key: String,
}

/// Claims due refunds for `time`: nobody else sends them before.
pub async fn claim(
    connection: &mut AsyncPgConnection,
    limit: i64,
    time: Duration,
) -> QueryResult<Vec<Claimed>> {
    let due: Vec<Uuid> = refund::table
        .filter(refund::next_attempt_time.le(now.into_sql::<Nullable<Timestamptz>>()))
        .order(refund::next_attempt_time)
        .select(refund::refund_id)
        .limit(limit)
        .for_update()
        .skip_locked()
        .load(connection)
        .await?;
    let until = mesh::pg::now(connection).await? + delta(time)?;
    let rows: Vec<Row> = diesel::update(refund::table.filter(refund::refund_id.eq_any(due)))
        .set((
            refund::state.eq(RefundState::Sent.word()),
            refund::attempts.eq(refund::attempts + 1),
            refund::next_attempt_time.eq(until),
        ))
        .returning(Row::as_returning())
        .get_results(connection)
        .await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        claimed.push(with_key(connection, row).await?);
    }
    Ok(claimed)
}

async fn with_key(connection: &mut AsyncPgConnection, row: &Row) -> QueryResult<Claimed> {
    let (provider, key): (Option<String>, Option<String>) = payment::table
        .find(row.payment_id)
        .select((payment::provider, payment::provider_payment_key))
        .first(connection)
        .await?;
    // A late capture may have another key than the payment's last attempt.
    let late: Option<String> = late_capture::table
        .filter(late_capture::refund_id.eq(row.refund_id))
        .select(late_capture::provider_payment_key)
        .first(connection)
        .await
        .optional()?;
    let lacks = || corrupt(format!("refund {} has no provider or key", row.refund_id));
    Ok(Claimed {
        refund: read(row)?,
        provider: provider.ok_or_else(lacks)?,
        payment_key: late.or(key).ok_or_else(lacks)?,
    })
}

/// Ends a refund that is claimed as `attempts` says. False when another claim came since; nothing is written then.
pub async fn finish(
    connection: &mut AsyncPgConnection,
    claim: &RefundRow,
    state: RefundState,
    error: Option<&str>,
) -> QueryResult<bool> {
    let end = mesh::pg::now(connection).await?;
    let when = |reached| (state == reached).then_some(end);
    let changed = diesel::update(mine(claim))
        .set((
            refund::state.eq(state.word()),
            refund::next_attempt_time.eq(None::<DateTime<Utc>>),
            refund::last_error.eq(error),
            refund::done_time.eq(when(RefundState::Done)),
            refund::park_time.eq(when(RefundState::Parked)),
        ))
        .execute(connection)
        .await?;
    Ok(changed == 1)
}

/// Writes a refund that is retried, due when its new key may be used. Its payment has to be locked.
pub async fn retry(connection: &mut AsyncPgConnection, retried: &RefundRow) -> QueryResult<()> {
    let parked = refund::table
        .filter(refund::refund_id.eq(retried.refund_id))
        .filter(refund::state.eq(RefundState::Parked.word()));
    let changed = diesel::update(parked)
        .set((
            refund::state.eq(retried.state.word()),
            refund::idempotency_key.eq(retried.idempotency_key),
            refund::retries.eq(retried.retries),
            refund::key_time.eq(retried.key_time),
            refund::park_time.eq(retried.park_time),
            refund::next_attempt_time.eq(retried.key_time),
        ))
        .execute(connection)
        .await?;
    if changed == 1 {
        Ok(())
    } else {
        Err(diesel::result::Error::NotFound)
    }
}

/// Puts a claimed refund off by `wait`. False when another claim came since.
pub async fn put_off(
    connection: &mut AsyncPgConnection,
    claim: &RefundRow,
    wait: Duration,
    error: &str,
) -> QueryResult<bool> {
    let next = mesh::pg::now(connection).await? + delta(wait)?;
    let changed = diesel::update(mine(claim))
        .set((
            refund::next_attempt_time.eq(next),
            refund::last_error.eq(error),
        ))
        .execute(connection)
        .await?;
    Ok(changed == 1)
}

#[diesel::dsl::auto_type]
fn mine(claim: &RefundRow) -> _ {
    let refund_id: Uuid = claim.refund_id;
    let attempts: i32 = claim.attempts;
    refund::table
        .filter(refund::refund_id.eq(refund_id))
        .filter(refund::attempts.eq(attempts))
        .filter(refund::state.eq("SENT"))
}

fn delta(time: Duration) -> QueryResult<TimeDelta> {
    TimeDelta::from_std(time).map_err(|_| corrupt("a time beyond the calendar"))
}

fn read(row: &Row) -> QueryResult<RefundRow> {
    let currency: Currency = row.currency.parse().map_err(|_| corrupt("currency"))?;
    Ok(RefundRow {
        refund_id: row.refund_id,
        payment_id: row.payment_id,
        amount: Money::new(row.amount, currency),
        cause: RefundCause::read(&row.cause)?,
        state: RefundState::read(&row.state)?,
        idempotency_key: row.idempotency_key,
        key_time: row.key_time.unwrap_or(row.create_time),
        attempts: row.attempts,
        retries: row.retries,
        park_time: row.park_time,
        last_error: row.last_error.clone(),
        create_time: row.create_time,
    })
}
