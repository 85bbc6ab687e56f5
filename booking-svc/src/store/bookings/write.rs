//! What sagas write to bookings.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use crate::domain::booking::{Method, discounted};
use crate::domain::hold::Hold;
use crate::domain::price::{self, Discount};
use crate::domain::saga::BookingTurn;
use crate::store::prices;

/// A new booking.
#[derive(Clone, Copy, Debug)]
pub struct NewBooking<'a> {
    /// Id.
    pub booking_id: Uuid,
    /// request_id of the call.
    pub request_id: Uuid,
    /// Fingerprint of the call.
    pub request_hash: &'a [u8],
    /// How it is paid.
    pub method: Method,
    /// Its payment.
    pub payment_id: Uuid,
    /// Until when it can be paid.
    pub payment_deadline_time: DateTime<Utc>,
    /// What coupons take off.
    pub discounts: &'a [Discount],
    /// Reservation of the coupons, if there are any.
    pub reservation_id: Option<Uuid>,
}

/// Inserts a PROCESSING booking with the lines of `hold`.
pub async fn insert(
    connection: &mut Connection,
    new: &NewBooking<'_>,
    hold: &Hold,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO booking (booking_id, account_id, hold_id, request_id, request_hash, state, method, payment_id, \
         total_amount, currency, payment_deadline_time, version, create_time, discount_amount, reservation_id) \
         VALUES ($1, $2, $3, $4, $5, 'PROCESSING', $6, $7, $8, $9, $10, 1, clock_timestamp(), $11, $12)",
    )
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<SqlUuid, _>(hold.account_id)
    .bind::<SqlUuid, _>(hold.hold_id)
    .bind::<SqlUuid, _>(new.request_id)
    .bind::<Binary, _>(new.request_hash)
    .bind::<Text, _>(new.method.name())
    .bind::<SqlUuid, _>(new.payment_id)
    .bind::<BigInt, _>(discounted(hold.total, new.discounts).minor_units)
    .bind::<Text, _>(hold.total.currency.code())
    .bind::<Timestamptz, _>(new.payment_deadline_time)
    .bind::<BigInt, _>(price::total(new.discounts))
    .bind::<Nullable<SqlUuid>, _>(new.reservation_id)
    .execute(connection)
    .await?;
    diesel::sql_query(
        "INSERT INTO booking_line (booking_id, line_no, performance_id, pool_id, ord, exclusive, quantity, grade, \
         unit_amount, currency) SELECT $1, row_number() OVER (ORDER BY c.pool_id, c.ord) - 1, p.subject_id, c.pool_id, \
         c.ord, c.exclusive, c.quantity, c.grade, c.unit_amount, c.currency \
         FROM claim c JOIN inv_pool p USING (pool_id) WHERE c.hold_id = $2",
    )
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<SqlUuid, _>(hold.hold_id)
    .execute(connection)
    .await?;
    if !new.discounts.is_empty() {
        prices::insert(connection, new.booking_id, new.discounts).await?;
    }
    Ok(())
}

/// Lets a PROCESSING booking wait for its buyer.
pub async fn await_payment(connection: &mut Connection, booking_id: Uuid) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE booking SET state = 'AWAITING_PAYMENT', version = version + 1 \
         WHERE booking_id = $1 AND state = 'PROCESSING'",
    )
    .bind::<SqlUuid, _>(booking_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Carries out what a saga's turn does to its booking.
pub async fn turn(
    connection: &mut Connection,
    booking_id: Uuid,
    turn: &BookingTurn,
) -> QueryResult<()> {
    let (state, reason, code, may_try_again) = match turn {
        BookingTurn::Keep => return Ok(()),
        BookingTurn::ShowDecline { code } => (
            "AWAITING_PAYMENT",
            crate::domain::saga::reason::PAYMENT_DECLINED,
            code,
            true,
        ),
        BookingTurn::Fail { reason, code } => ("FAILED", *reason, code, false),
    };
    diesel::sql_query(
        "UPDATE booking SET state = $2, failure_reason = $3, provider_code = $4, may_try_again = $5, \
         version = version + 1 WHERE booking_id = $1 AND state IN ('PROCESSING', 'AWAITING_PAYMENT')",
    )
    .bind::<SqlUuid, _>(booking_id)
    .bind::<Text, _>(state)
    .bind::<Text, _>(reason)
    .bind::<Nullable<Text>, _>(Some(code.as_str()).filter(|code| !code.is_empty()))
    .bind::<Bool, _>(may_try_again)
    .execute(connection)
    .await?;
    Ok(())
}

/// Confirms a booking. A decline shown before is history now. Answers when it was confirmed.
pub async fn confirm(connection: &mut Connection, booking_id: Uuid) -> QueryResult<DateTime<Utc>> {
    let row: TimeRow = diesel::sql_query(
        "UPDATE booking SET state = 'CONFIRMED', confirm_time = clock_timestamp(), failure_reason = NULL, \
         provider_code = NULL, may_try_again = NULL, version = version + 1 \
         WHERE booking_id = $1 AND state IN ('PROCESSING', 'AWAITING_PAYMENT') RETURNING confirm_time AS time",
    )
    .bind::<SqlUuid, _>(booking_id)
    .get_result(connection)
    .await?;
    Ok(row.time)
}

#[derive(QueryableByName)]
struct TimeRow {
    #[diesel(sql_type = Timestamptz)]
    time: DateTime<Utc>,
}
