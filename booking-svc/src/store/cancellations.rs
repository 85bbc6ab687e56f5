//! Lines of confirmed bookings that were given back.

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

use super::{broken, currency};
use crate::domain::cancellation::{Cancellation, CancellationState, PastCancellation};

#[derive(QueryableByName)]
struct HashRow {
    #[diesel(sql_type = Binary)]
    request_hash: Vec<u8>,
}

#[derive(QueryableByName)]
struct StartRow {
    #[diesel(sql_type = SqlUuid)]
    performance_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    start_time: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    cancellation_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    booking_id: Uuid,
    #[diesel(sql_type = Array<Integer>)]
    lines: Vec<i32>,
    #[diesel(sql_type = BigInt)]
    refund_amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Timestamptz)]
    create_time: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    finish_time: Option<DateTime<Utc>>,
}

/// What was cancelled of these bookings, oldest first.
pub async fn of_bookings(
    connection: &mut Connection,
    bookings: &[Uuid],
) -> QueryResult<BTreeMap<Uuid, Vec<PastCancellation>>> {
    let mut found: BTreeMap<Uuid, Vec<PastCancellation>> = BTreeMap::new();
    if bookings.is_empty() {
        return Ok(found);
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT c.cancellation_id, c.booking_id, c.refund_amount, c.currency, c.state, c.create_time, c.finish_time, \
         array(SELECT l.line_no FROM booking_line l WHERE l.cancellation_id = c.cancellation_id ORDER BY l.line_no) AS lines \
         FROM cancellation c WHERE c.booking_id = ANY($1) ORDER BY c.create_time, c.cancellation_id",
    )
    .bind::<Array<SqlUuid>, _>(bookings)
    .load(connection)
    .await?;
    for row in rows {
        found.entry(row.booking_id).or_default().push(past(row)?);
    }
    Ok(found)
}

fn past(row: Row) -> QueryResult<PastCancellation> {
    let mut states = CancellationState::ALL.into_iter();
    let state = states.find(|state| state.name() == row.state);
    Ok(PastCancellation {
        cancellation_id: row.cancellation_id,
        lines: row.lines,
        refund: Money::new(row.refund_amount, currency(&row.currency)?),
        state: state.ok_or_else(|| broken("cancellation state"))?,
        create_time: row.create_time,
        finish_time: row.finish_time,
    })
}

/// Fingerprint of the request that made a cancellation before.
pub async fn request_of(
    connection: &mut Connection,
    cancellation_id: Uuid,
) -> QueryResult<Option<Vec<u8>>> {
    let query = "SELECT request_hash FROM cancellation WHERE cancellation_id = $1";
    let rows: Vec<HashRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(cancellation_id)
        .load(connection)
        .await?;
    Ok(rows.into_iter().next().map(|row| row.request_hash))
}

/// When the performances of a booking begin.
pub async fn starts(
    connection: &mut Connection,
    booking_id: Uuid,
) -> QueryResult<BTreeMap<Uuid, DateTime<Utc>>> {
    let query = "SELECT DISTINCT performance_id, p.start_time FROM booking_line JOIN performance p USING (performance_id) \
         WHERE booking_id = $1";
    let rows: Vec<StartRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(booking_id)
        .load(connection)
        .await?;
    let starts = rows.into_iter();
    Ok(starts
        .map(|row| (row.performance_id, row.start_time))
        .collect())
}

/// A cancellation to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewCancellation<'a> {
    /// Id.
    pub cancellation_id: Uuid,
    /// Booking, locked.
    pub booking_id: Uuid,
    /// Who asks.
    pub account_id: Uuid,
    /// Fingerprint of the request.
    pub request_hash: &'a [u8],
    /// Why.
    pub reason: &'a str,
}

/// Writes what was given back: cancellation, lines, tickets, booking. The units are the inventory's.
pub async fn insert(
    connection: &mut Connection,
    new: &NewCancellation<'_>,
    cancelled: &Cancellation,
) -> QueryResult<()> {
    let lines: Vec<i32> = cancelled.lines.keys().copied().collect();
    let refunds: Vec<i64> = cancelled.lines.values().copied().collect();
    diesel::sql_query(
        "INSERT INTO cancellation (cancellation_id, booking_id, account_id, request_hash, reason, refund_amount, currency, state, finish_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $6 = 0 THEN 'DONE' ELSE 'REFUNDING' END, CASE WHEN $6 = 0 THEN clock_timestamp() END)",
    )
    .bind::<SqlUuid, _>(new.cancellation_id)
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<SqlUuid, _>(new.account_id)
    .bind::<Binary, _>(new.request_hash)
    .bind::<Text, _>(new.reason)
    .bind::<BigInt, _>(cancelled.refund.minor_units)
    .bind::<Text, _>(cancelled.refund.currency.code())
    .execute(connection)
    .await?;
    diesel::sql_query(
        "UPDATE booking_line l SET cancellation_id = $2, refund_amount = d.refund FROM unnest($3::int[], $4::bigint[]) AS d(line_no, refund) \
         WHERE l.booking_id = $1 AND l.line_no = d.line_no",
    )
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<SqlUuid, _>(new.cancellation_id)
    .bind::<Array<Integer>, _>(&lines)
    .bind::<Array<BigInt>, _>(refunds)
    .execute(connection)
    .await?;
    diesel::sql_query(
        "UPDATE ticket SET state = 'VOID' WHERE booking_id = $1 AND line_no = ANY($2) AND state = 'ACTIVE'",
    )
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<Array<Integer>, _>(&lines)
    .execute(connection)
    .await?;
    diesel::sql_query(
        "UPDATE booking SET state = CASE WHEN $2 THEN 'CANCELLED' ELSE state END, version = version + 1 WHERE booking_id = $1",
    )
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<Bool, _>(cancelled.whole)
    .execute(connection)
    .await?;
    Ok(())
}

/// The money of a cancellation is back, however it stood.
pub async fn finish(connection: &mut Connection, cancellation_id: Uuid) -> QueryResult<()> {
    diesel::sql_query(
        "WITH done AS (UPDATE cancellation SET state = 'DONE', finish_time = clock_timestamp() \
         WHERE cancellation_id = $1 AND state <> 'DONE' RETURNING booking_id) \
         UPDATE booking b SET version = b.version + 1 FROM done WHERE b.booking_id = done.booking_id",
    )
    .bind::<SqlUuid, _>(cancellation_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// The money of a cancellation cannot be returned for now. One that is back stays so: messages overtake each other.
pub async fn park(connection: &mut Connection, cancellation_id: Uuid) -> QueryResult<()> {
    diesel::sql_query(
        "WITH parked AS (UPDATE cancellation SET state = 'PARKED' \
         WHERE cancellation_id = $1 AND state = 'REFUNDING' RETURNING booking_id) \
         UPDATE booking b SET version = b.version + 1 FROM parked WHERE b.booking_id = parked.booking_id",
    )
    .bind::<SqlUuid, _>(cancellation_id)
    .execute(connection)
    .await?;
    Ok(())
}
