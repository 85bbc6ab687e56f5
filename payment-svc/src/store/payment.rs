//! Payments and tombstones.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mesh::money::{Currency, Money};
use mesh::pg::idempotency::RequestHash;
use uuid::Uuid;

use super::schema::{late_capture, payment, payment_event};
use super::words::Word;
use super::{attempt, corrupt, refund};
use crate::domain::{Change, LateCapture, Method, Payment, State};

/// Names of constraints that a use case tells apart.
pub mod constraint {
    /// Another payment has this key of the provider.
    pub const KEY_USED: &str = "payment_key_one_payment";
    /// The booking has a live payment.
    pub const LIVE_BOOKING: &str = "payment_one_live_booking";
    /// The id is taken.
    pub const ID: &str = "payment_pkey";
}

/// What stands under a payment id.
#[derive(Clone, Debug)]
pub enum Stored {
    /// A payment, and what was asked when it was created.
    Payment(Box<Payment>, RequestHash),
    /// A cancel that came before its payment.
    Tombstone(Tombstone),
}

/// A cancel that came before its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Id that no payment may take any more.
    pub payment_id: Uuid,
    /// Booking it would have paid.
    pub booking_id: Uuid,
    /// When the cancel came.
    pub create_time: DateTime<Utc>,
}

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payment, treat_none_as_null = true)]
pub(super) struct PaymentRow {
    payment_id: Uuid,
    booking_id: Uuid,
    account_id: Option<Uuid>,
    method: Option<String>,
    provider: Option<String>,
    order_name: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    captured_amount: i64,
    refund_amount: i64,
    refunded_amount: i64,
    provider_payment_key: Option<String>,
    state: String,
    request_hash: Option<Vec<u8>>,
    cancel_requested_time: Option<DateTime<Utc>>,
    expire_time: Option<DateTime<Utc>>,
    next_check_time: Option<DateTime<Utc>>,
    checks: i32,
    version: i64,
    create_time: DateTime<Utc>,
}

/// What stands under this id, with its last attempt.
pub async fn find(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
) -> QueryResult<Option<Stored>> {
    let row = payment::table
        .find(payment_id)
        .select(PaymentRow::as_select())
        .first(connection)
        .await
        .optional()?;
    with_attempt(connection, row).await
}

/// The same, locked until the transaction ends.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    payment_id: Uuid,
) -> QueryResult<Option<Stored>> {
    let row = payment::table
        .find(payment_id)
        .select(PaymentRow::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?;
    with_attempt(connection, row).await
}

async fn with_attempt(
    connection: &mut AsyncPgConnection,
    row: Option<PaymentRow>,
) -> QueryResult<Option<Stored>> {
    let Some(row) = row else { return Ok(None) };
    let mut stored = read(row)?;
    if let Stored::Payment(payment, _) = &mut stored {
        payment.attempt = attempt::last(connection, payment.payment_id).await?;
    }
    Ok(Some(stored))
}

/// Inserts a payment that was opened just now.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    payment: &Payment,
    hash: &RequestHash,
    change: &Change,
) -> QueryResult<()> {
    diesel::insert_into(payment::table)
        .values(row(payment, Some(hash.0.to_vec()))?)
        .execute(connection)
        .await?;
    append_event(connection, payment, change).await
}

/// Inserts a tombstone.
pub async fn insert_tombstone(
    connection: &mut AsyncPgConnection,
    tombstone: &Tombstone,
) -> QueryResult<()> {
    diesel::insert_into(payment::table)
        .values((
            payment::payment_id.eq(tombstone.payment_id),
            payment::booking_id.eq(tombstone.booking_id),
            payment::state.eq(State::Cancelled.word()),
            payment::cancel_requested_time.eq(tombstone.create_time),
            payment::version.eq(1),
            payment::create_time.eq(tombstone.create_time),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes a changed payment, its attempt and everything that the change decided.
pub async fn save(
    connection: &mut AsyncPgConnection,
    payment: &Payment,
    change: &Change,
    hash: Option<&RequestHash>,
) -> QueryResult<()> {
    let changed = diesel::update(payment::table.find(payment.payment_id))
        .set((
            payment::captured_amount.eq(payment.captured_amount),
            payment::refund_amount.eq(payment.refund_amount),
            payment::refunded_amount.eq(payment.refunded_amount),
            payment::provider_payment_key.eq(&payment.payment_key),
            payment::state.eq(payment.state.word()),
            payment::cancel_requested_time.eq(payment.cancel_requested_time),
            payment::next_check_time.eq(payment.next_check_time),
            payment::checks.eq(i32::try_from(payment.checks).map_err(|_| corrupt("checks"))?),
            payment::lease_owner.eq(None::<String>),
            payment::lease_until.eq(None::<DateTime<Utc>>),
            payment::version.eq(payment.version),
        ))
        .execute(connection)
        .await?;
    if changed != 1 {
        return Err(diesel::result::Error::NotFound);
    }
    if let Some(attempt) = &payment.attempt {
        attempt::save(connection, payment.payment_id, attempt).await?;
    }
    append_event(connection, payment, change).await?;
    if let Some(new) = &change.refund {
        refund::insert(connection, payment.payment_id, new, hash).await?;
    }
    if let Some(late) = &change.late_capture {
        insert_late_capture(connection, payment, late).await?;
    }
    Ok(())
}

async fn append_event(
    connection: &mut AsyncPgConnection,
    payment: &Payment,
    change: &Change,
) -> QueryResult<()> {
    diesel::insert_into(payment_event::table)
        .values((
            payment_event::payment_id.eq(payment.payment_id),
            payment_event::seq.eq(payment.version),
            payment_event::from_state.eq(change.from.word()),
            payment_event::to_state.eq(change.to.word()),
            payment_event::cause.eq(change.cause.word()),
            payment_event::detail.eq(&change.detail),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the money of this key was found late before, for this payment.
pub async fn late_capture_known(
    connection: &mut AsyncPgConnection,
    payment: &Payment,
    payment_key: &str,
) -> QueryResult<bool> {
    let found = late_capture::table
        .filter(late_capture::payment_id.eq(payment.payment_id))
        .filter(late_capture::provider_payment_key.eq(payment_key));
    diesel::select(diesel::dsl::exists(found))
        .get_result(connection)
        .await
}

async fn insert_late_capture(
    connection: &mut AsyncPgConnection,
    payment: &Payment,
    late: &LateCapture,
) -> QueryResult<()> {
    diesel::insert_into(late_capture::table)
        .values((
            late_capture::provider.eq(payment.provider.as_deref().unwrap_or_default()),
            late_capture::provider_payment_key.eq(&late.payment_key),
            late_capture::payment_id.eq(payment.payment_id),
            late_capture::captured_amount.eq(late.amount.minor_units),
            late_capture::refund_id.eq(late.refund_id),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

fn row(payment: &Payment, request_hash: Option<Vec<u8>>) -> QueryResult<PaymentRow> {
    Ok(PaymentRow {
        payment_id: payment.payment_id,
        booking_id: payment.booking_id,
        account_id: Some(payment.account_id),
        method: Some(payment.method.word().to_owned()),
        provider: payment.provider.clone(),
        order_name: Some(payment.order_name.clone()),
        amount: Some(payment.amount.minor_units),
        currency: Some(payment.amount.currency.code().to_owned()),
        captured_amount: payment.captured_amount,
        refund_amount: payment.refund_amount,
        refunded_amount: payment.refunded_amount,
        provider_payment_key: payment.payment_key.clone(),
        state: payment.state.word().to_owned(),
        request_hash,
        cancel_requested_time: payment.cancel_requested_time,
        expire_time: payment.expire_time,
        next_check_time: payment.next_check_time,
        checks: i32::try_from(payment.checks).map_err(|_| corrupt("checks"))?,
        version: payment.version,
        create_time: payment.create_time,
    })
}

/// A row as what it means; its attempt is not read.
pub(super) fn read(row: PaymentRow) -> QueryResult<Stored> {
    let Some(method) = &row.method else {
        return Ok(Stored::Tombstone(Tombstone {
            payment_id: row.payment_id,
            booking_id: row.booking_id,
            create_time: row.create_time,
        }));
    };
    let payment_id = row.payment_id;
    let missing = || corrupt(format!("payment {payment_id} lacks a column"));
    let currency: Currency = row
        .currency
        .as_deref()
        .ok_or_else(missing)?
        .parse()
        .map_err(|_| missing())?;
    let hash: [u8; 32] = row
        .request_hash
        .as_deref()
        .ok_or_else(missing)?
        .try_into()
        .map_err(|_| missing())?;
    let payment = Payment {
        payment_id: row.payment_id,
        booking_id: row.booking_id,
        account_id: row.account_id.ok_or_else(missing)?,
        method: Method::read(method)?,
        provider: row.provider,
        order_name: row.order_name.ok_or_else(missing)?,
        amount: Money::new(row.amount.ok_or_else(missing)?, currency),
        captured_amount: row.captured_amount,
        refund_amount: row.refund_amount,
        refunded_amount: row.refunded_amount,
        payment_key: row.provider_payment_key,
        state: State::read(&row.state)?,
        cancel_requested_time: row.cancel_requested_time,
        expire_time: row.expire_time,
        next_check_time: row.next_check_time,
        checks: u32::try_from(row.checks).map_err(|_| missing())?,
        version: row.version,
        create_time: row.create_time,
        attempt: None,
    };
    Ok(Stored::Payment(Box::new(payment), RequestHash(hash)))
}
