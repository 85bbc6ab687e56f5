//! Lines of confirmed bookings that were given back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use crate::domain::cancellation::Cancellation;

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

/// The money of a cancellation is back.
pub async fn finish(connection: &mut Connection, cancellation_id: Uuid) -> QueryResult<()> {
    diesel::sql_query(
        "WITH done AS (UPDATE cancellation SET state = 'DONE', finish_time = clock_timestamp() \
         WHERE cancellation_id = $1 AND state = 'REFUNDING' RETURNING booking_id) \
         UPDATE booking b SET version = b.version + 1 FROM done WHERE b.booking_id = done.booking_id",
    )
    .bind::<SqlUuid, _>(cancellation_id)
    .execute(connection)
    .await?;
    Ok(())
}
