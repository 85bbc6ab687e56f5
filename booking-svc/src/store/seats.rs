//! Names of seats.

use std::collections::BTreeMap;

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::holds::columns;
use crate::domain::hold::UnitKey;

#[derive(QueryableByName)]
struct SeatRow {
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = Integer)]
    ord: i32,
    #[diesel(sql_type = Text)]
    seat_guid: String,
}

/// The seat_guid of every seat of `units`; areas have none.
pub async fn guids(
    connection: &mut Connection,
    units: &[UnitKey],
) -> QueryResult<BTreeMap<UnitKey, String>> {
    let (pools, ords) = columns(units);
    let rows: Vec<SeatRow> = diesel::sql_query(
        "SELECT k.pool_id, k.ord, u.seat_guid FROM unnest($1::uuid[], $2::int[]) AS k(pool_id, ord) \
         JOIN performance f USING (pool_id) JOIN hall_unit u ON u.hall_id = f.hall_id AND u.ord = k.ord \
         WHERE u.seat_guid IS NOT NULL",
    )
    .bind::<Array<SqlUuid>, _>(pools)
    .bind::<Array<Integer>, _>(ords)
    .load(connection)
    .await?;
    let seat = |row: SeatRow| {
        (
            UnitKey {
                pool_id: row.pool_id,
                ord: row.ord,
            },
            row.seat_guid,
        )
    };
    Ok(rows.into_iter().map(seat).collect())
}
