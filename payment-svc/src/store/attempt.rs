//! Attempts of payments.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::corrupt;
use super::schema::payment_attempt;
use super::words::Word;
use crate::domain::{Attempt, AttemptState, Decline};

/// What this release does with a provider; CHARGE comes with stored cards.
const OP: &str = "CONFIRM";

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payment_attempt, treat_none_as_null = true)]
struct AttemptRow {
    payment_id: Uuid,
    attempt_no: i32,
    op: String,
    idempotency_key: Uuid,
    provider_payment_key: String,
    amount: i64,
    state: String,
    first_send_time: DateTime<Utc>,
    last_send_time: DateTime<Utc>,
    absent_reads: i32,
    provider_code: Option<String>,
    customer_may_retry: Option<bool>,
}

/// The last attempt of a payment.
pub async fn last(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
) -> QueryResult<Option<Attempt>> {
    let row: Option<AttemptRow> = payment_attempt::table
        .filter(payment_attempt::payment_id.eq(payment_id))
        .order(payment_attempt::attempt_no.desc())
        .select(AttemptRow::as_select())
        .first(connection)
        .await
        .optional()?;
    row.map(read).transpose()
}

/// Writes an attempt, new or changed.
pub async fn save(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
    attempt: &Attempt,
) -> QueryResult<()> {
    let row = row(payment_id, attempt)?;
    diesel::insert_into(payment_attempt::table)
        .values(&row)
        .on_conflict((payment_attempt::payment_id, payment_attempt::attempt_no))
        .do_update()
        .set(&row)
        .execute(connection)
        .await?;
    Ok(())
}

fn row(payment_id: Uuid, attempt: &Attempt) -> QueryResult<AttemptRow> {
    Ok(AttemptRow {
        payment_id,
        attempt_no: attempt.attempt_no,
        op: OP.to_owned(),
        idempotency_key: attempt.idempotency_key,
        provider_payment_key: attempt.payment_key.clone(),
        amount: attempt.amount,
        state: attempt.state.word().to_owned(),
        first_send_time: attempt.first_send_time,
        last_send_time: attempt.last_send_time,
        absent_reads: i32::try_from(attempt.absent_reads).map_err(|_| corrupt("absent_reads"))?,
        provider_code: attempt
            .decline
            .as_ref()
            .map(|decline| decline.code().to_owned()),
        customer_may_retry: attempt.decline.as_ref().map(Decline::customer_may_retry),
    })
}

fn read_parts(code: Option<&str>, may_retry: Option<bool>) -> Option<Decline> {
    Some(Decline::stored(code?, may_retry?))
}

fn read(row: AttemptRow) -> QueryResult<Attempt> {
    Ok(Attempt {
        attempt_no: row.attempt_no,
        idempotency_key: row.idempotency_key,
        state: AttemptState::read(&row.state)?,
        amount: row.amount,
        first_send_time: row.first_send_time,
        last_send_time: row.last_send_time,
        absent_reads: u32::try_from(row.absent_reads).map_err(|_| corrupt("absent_reads"))?,
        decline: read_parts(row.provider_code.as_deref(), row.customer_may_retry),
        payment_key: row.provider_payment_key,
    })
}
