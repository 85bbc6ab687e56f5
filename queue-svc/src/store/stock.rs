//! What was last heard of each pool.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::natural;
use super::schema::stock;
use crate::domain::stock::{Level, Stock};

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = stock)]
struct LevelRow {
    pool_id: Uuid,
    show_id: Uuid,
    version: i64,
    room: i64,
    sold: i64,
    sales: i64,
    pools: i32,
}

/// Takes in a level; what is older than the known one changes nothing.
pub async fn note(connection: &mut AsyncPgConnection, level: &Level) -> QueryResult<()> {
    let Level {
        pool_id,
        show_id,
        version,
        room,
        sold,
        sales,
        pools,
    } = *level;
    let row = LevelRow {
        pool_id,
        show_id,
        version,
        room,
        sold,
        sales,
        pools,
    };
    let upsert = diesel::insert_into(stock::table)
        .values(&row)
        .on_conflict(stock::pool_id)
        .do_update()
        .set(&row);
    FilterDsl::filter(upsert, stock::version.lt(version))
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
