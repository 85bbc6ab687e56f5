//! Bookings and their lines.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;
use uuid::Uuid;

mod write;

pub use write::{NewBooking, await_payment, confirm, insert, turn};

use super::holds::Lock;
use super::{broken, cancellations, currency, prices};
use crate::domain::booking::{Booking, BookingFilter, BookingLine, BookingState, Failure, Method};
use crate::domain::hold::UnitKey;
use crate::domain::price::Discount;

#[derive(QueryableByName)]
struct BookingRow {
    #[diesel(sql_type = SqlUuid)]
    booking_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    account_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    hold_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    request_id: Uuid,
    #[diesel(sql_type = Binary)]
    request_hash: Vec<u8>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Text)]
    method: String,
    #[diesel(sql_type = SqlUuid)]
    payment_id: Uuid,
    #[diesel(sql_type = BigInt)]
    total_amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    reservation_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    failure_reason: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    provider_code: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    may_try_again: Option<bool>,
    #[diesel(sql_type = Timestamptz)]
    payment_deadline_time: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Timestamptz)]
    create_time: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    confirm_time: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = SqlUuid)]
    booking_id: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    performance_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = Integer)]
    ord: i32,
    #[diesel(sql_type = Bool)]
    exclusive: bool,
    #[diesel(sql_type = Integer)]
    quantity: i32,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = BigInt)]
    unit_amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    refund_amount: Option<i64>,
}

#[derive(QueryableByName)]
struct StateRow {
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Text)]
    state: String,
}

#[derive(QueryableByName)]
struct TitleRow {
    #[diesel(sql_type = Text)]
    title: String,
}

const COLUMNS: &str = "b.booking_id, b.account_id, b.hold_id, b.request_id, b.request_hash, b.state, b.method, \
     b.payment_id, b.total_amount, b.currency, b.reservation_id, b.failure_reason, b.provider_code, b.may_try_again, \
     b.payment_deadline_time, b.version, b.create_time, b.confirm_time";

/// One booking.
pub async fn get(
    connection: &mut Connection,
    booking_id: Uuid,
    lock: Lock,
) -> QueryResult<Option<Booking>> {
    let update = if lock == Lock::ForUpdate {
        " FOR UPDATE"
    } else {
        ""
    };
    let query = format!("SELECT {COLUMNS} FROM booking b WHERE b.booking_id = $1{update}");
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(booking_id)
        .load(connection)
        .await?;
    Ok(with_lines(connection, rows).await?.pop())
}

/// The booking that an account made with this request.
pub async fn by_request(
    connection: &mut Connection,
    account_id: Uuid,
    request_id: Uuid,
) -> QueryResult<Option<Booking>> {
    let query =
        format!("SELECT {COLUMNS} FROM booking b WHERE b.account_id = $1 AND b.request_id = $2");
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(account_id)
        .bind::<SqlUuid, _>(request_id)
        .load(connection)
        .await?;
    Ok(with_lines(connection, rows).await?.pop())
}

/// Bookings of an account, newest first.
pub async fn list(
    connection: &mut Connection,
    filter: &BookingFilter,
    limit: i64,
) -> QueryResult<Vec<Booking>> {
    let query = format!(
        "SELECT {COLUMNS} FROM booking b WHERE b.account_id = $1 AND ($2 IS NULL OR b.state = $2) \
         AND ($3 IS NULL OR EXISTS (SELECT FROM booking_line l JOIN inv_pool p USING (pool_id) \
         WHERE l.booking_id = b.booking_id AND p.show_id = $3)) AND ($4 IS NULL OR b.booking_id < $4) \
         ORDER BY b.booking_id DESC LIMIT $5"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(filter.account_id)
        .bind::<Nullable<Text>, _>(filter.state.map(BookingState::name))
        .bind::<Nullable<SqlUuid>, _>(filter.show_id)
        .bind::<Nullable<SqlUuid>, _>(filter.before)
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await?;
    with_lines(connection, rows).await
}

/// Version and state of a booking: what a watcher looks at.
pub async fn pulse(
    connection: &mut Connection,
    booking_id: Uuid,
) -> QueryResult<Option<(i64, BookingState)>> {
    let rows: Vec<StateRow> =
        diesel::sql_query("SELECT version, state FROM booking WHERE booking_id = $1")
            .bind::<SqlUuid, _>(booking_id)
            .load(connection)
            .await?;
    rows.into_iter()
        .next()
        .map(|row| Ok((row.version, state(&row.state)?)))
        .transpose()
}

/// Titles of the shows that a booking's lines belong to.
pub async fn titles(connection: &mut Connection, booking_id: Uuid) -> QueryResult<Vec<String>> {
    let query = "SELECT DISTINCT s.title FROM booking_line l JOIN inv_pool p USING (pool_id) \
         JOIN show s USING (show_id) WHERE l.booking_id = $1 ORDER BY s.title";
    let rows: Vec<TitleRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(booking_id)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.title).collect())
}

async fn with_lines(
    connection: &mut Connection,
    rows: Vec<BookingRow>,
) -> QueryResult<Vec<Booking>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.booking_id).collect();
    let found: Vec<LineRow> = diesel::sql_query(
        "SELECT l.booking_id, l.line_no, p.show_id, l.performance_id, l.pool_id, l.ord, l.exclusive, l.quantity, \
         l.grade, l.unit_amount, l.currency, l.refund_amount FROM booking_line l JOIN inv_pool p USING (pool_id) \
         WHERE l.booking_id = ANY($1) ORDER BY l.booking_id, l.line_no",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(connection)
    .await?;
    let mut lines: BTreeMap<Uuid, Vec<BookingLine>> = BTreeMap::new();
    for row in found {
        lines.entry(row.booking_id).or_default().push(line(row)?);
    }
    let with_coupons = rows.iter().filter(|row| row.reservation_id.is_some());
    let with_coupons: Vec<Uuid> = with_coupons.map(|row| row.booking_id).collect();
    let mut discounts = prices::discounts(connection, &with_coupons).await?;
    let is_cancelled = |lines: &Vec<BookingLine>| lines.iter().any(|line| line.refund.is_some());
    let cancelled = lines.iter().filter(|(_, lines)| is_cancelled(lines));
    let cancelled: Vec<Uuid> = cancelled.map(|(booking_id, _)| *booking_id).collect();
    let mut cancellations = cancellations::of_bookings(connection, &cancelled).await?;
    rows.into_iter()
        .map(|row| {
            let booking_id = row.booking_id;
            Ok(Booking {
                lines: lines.remove(&booking_id).unwrap_or_default(),
                cancellations: cancellations.remove(&booking_id).unwrap_or_default(),
                ..booking(row, discounts.remove(&booking_id).unwrap_or_default())?
            })
        })
        .collect()
}

fn line(row: LineRow) -> QueryResult<BookingLine> {
    Ok(BookingLine {
        line_no: row.line_no,
        show_id: row.show_id,
        performance_id: row.performance_id,
        unit: UnitKey {
            pool_id: row.pool_id,
            ord: row.ord,
        },
        exclusive: row.exclusive,
        quantity: row.quantity,
        grade: row.grade,
        unit_price: Money::new(row.unit_amount, currency(&row.currency)?),
        refund: row.refund_amount,
    })
}

/// A row without its lines and cancellations.
fn booking(row: BookingRow, discounts: Vec<Discount>) -> QueryResult<Booking> {
    Ok(Booking {
        booking_id: row.booking_id,
        account_id: row.account_id,
        hold_id: row.hold_id,
        request_id: row.request_id,
        request_hash: row.request_hash,
        state: state(&row.state)?,
        method: [Method::OnSite, Method::Free]
            .into_iter()
            .find(|method| method.name() == row.method)
            .ok_or_else(|| broken("payment method"))?,
        payment_id: row.payment_id,
        total: Money::new(row.total_amount, currency(&row.currency)?),
        discounts,
        reservation_id: row.reservation_id,
        failure: row.failure_reason.map(|reason| Failure {
            reason,
            provider_code: row.provider_code.unwrap_or_default(),
            may_try_again: row.may_try_again.unwrap_or_default(),
        }),
        payment_deadline_time: row.payment_deadline_time,
        version: row.version,
        create_time: row.create_time,
        confirm_time: row.confirm_time,
        lines: Vec::new(),
        cancellations: Vec::new(),
    })
}

fn state(text: &str) -> QueryResult<BookingState> {
    let found = BookingState::ALL
        .into_iter()
        .find(|state| state.name() == text);
    found.ok_or_else(|| broken(format!("booking state {text}")))
}
