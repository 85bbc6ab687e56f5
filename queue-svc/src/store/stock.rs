//! What was last heard of each pool.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::natural;
use super::schema::stock;
use crate::domain::stock::Stock;

/// How much of a pool is sold, as its owner told.
#[derive(Clone, Debug, Insertable, AsChangeset)]
#[diesel(table_name = stock)]
pub struct Level {
    /// Pool.
    pub pool_id: Uuid,
    /// Show.
    pub show_id: Uuid,
    /// Version of the pool.
    pub version: i64,
    /// Places that can be sold.
    pub room: i64,
    /// Places that are sold.
    pub sold: i64,
    /// Holds that became sales.
    pub sales: i64,
    /// Pools of the show.
    pub pools: i32,
}

/// Takes in a level; what is older than the known one changes nothing.
pub async fn note(connection: &mut AsyncPgConnection, level: &Level) -> QueryResult<()> {
    let upsert = diesel::insert_into(stock::table)
        .values(level)
        .on_conflict(stock::pool_id)
        .do_update()
        .set(level);
    FilterDsl::filter(upsert, stock::version.lt(level.version))
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = BigInt)]
    left: i64,
    #[diesel(sql_type = BigInt)]
    sold: i64,
    #[diesel(sql_type = BigInt)]
    sales: i64,
}

/// What is left of shows of which every pool is known.
pub async fn of(
    connection: &mut AsyncPgConnection,
    show_ids: &[Uuid],
) -> QueryResult<HashMap<Uuid, Stock>> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT show_id, sum(greatest(room - sold, 0))::bigint AS left, sum(sold)::bigint AS sold, sum(sales)::bigint AS sales \
         FROM stock WHERE show_id = ANY($1) GROUP BY show_id HAVING count(*) >= max(pools)",
    )
    .bind::<Array<SqlUuid>, _>(show_ids)
    .load(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let stock = Stock {
                left: natural(row.left)?,
                sold: natural(row.sold)?,
                sales: natural(row.sales)?,
            };
            Ok((row.show_id, stock))
        })
        .collect()
}
