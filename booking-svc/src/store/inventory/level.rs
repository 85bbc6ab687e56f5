//! How much of a pool is sold, and how many pools a show has.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::super::count;
use crate::domain::inventory::PoolLevel;

#[derive(QueryableByName)]
pub(super) struct LevelRow {
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = BigInt)]
    room: i64,
    #[diesel(sql_type = BigInt)]
    sold: i64,
    #[diesel(sql_type = BigInt)]
    sales: i64,
}

impl From<LevelRow> for PoolLevel {
    fn from(row: LevelRow) -> Self {
        Self {
            pool_id: row.pool_id,
            show_id: row.show_id,
            version: row.version,
            room: row.room,
            sold: row.sold,
            sales: row.sales,
        }
    }
}

#[derive(QueryableByName)]
struct PoolsRow {
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = BigInt)]
    pools: i64,
}

/// The level of one pool.
pub async fn level(connection: &mut Connection, pool_id: Uuid) -> QueryResult<PoolLevel> {
    let query =
        "SELECT pool_id, show_id, version, room, sold, sales FROM inv_pool WHERE pool_id = $1";
    let row: LevelRow = diesel::sql_query(query)
        .bind::<SqlUuid, _>(pool_id)
        .get_result(connection)
        .await?;
    Ok(row.into())
}

/// How many pools each of these shows has.
pub async fn pools_of(
    connection: &mut Connection,
    shows: &BTreeSet<Uuid>,
) -> QueryResult<BTreeMap<Uuid, u32>> {
    let query =
        "SELECT show_id, count(*) AS pools FROM inv_pool WHERE show_id = ANY($1) GROUP BY show_id";
    let shows: Vec<Uuid> = shows.iter().copied().collect();
    let rows: Vec<PoolsRow> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(shows)
        .load(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok((row.show_id, count(row.pools)?)))
        .collect()
}
