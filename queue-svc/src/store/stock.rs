//! What was last heard of each pool.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::natural;
use super::schema::stock;
use crate::domain::stock::{Grades, Level, Stock};

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = stock)]
struct LevelRow<'l> {
    pool_id: Uuid,
    show_id: Uuid,
    version: i64,
    room: i64,
    sold: i64,
    sales: i64,
    pools: i32,
    grades: &'l [String],
    sold_out_grades: &'l [String],
}

/// Takes in a level; what is older than the known one changes nothing.
pub async fn note(connection: &mut AsyncPgConnection, level: &Level) -> QueryResult<()> {
    let row = LevelRow {
        pool_id: level.pool_id,
        show_id: level.show_id,
        version: level.version,
        room: level.room,
        sold: level.sold,
        sales: level.sales,
        pools: level.pools,
        grades: &level.grades.all,
        sold_out_grades: &level.grades.sold_out,
    };
    let upsert = diesel::insert_into(stock::table)
        .values(&row)
        .on_conflict(stock::pool_id)
        .do_update()
        .set(&row);
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
    #[diesel(sql_type = BigInt)]
    stamp: i64,
}

/// What is left of shows of which every pool is known.
pub async fn of(
    connection: &mut AsyncPgConnection,
    show_ids: &[Uuid],
) -> QueryResult<HashMap<Uuid, Stock>> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT show_id, sum(greatest(room - sold, 0))::bigint AS left, sum(sold)::bigint AS sold, sum(sales)::bigint AS sales, \
         sum(version + 1)::bigint AS stamp \
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
                stamp: row.stamp,
            };
            Ok((row.show_id, stock))
        })
        .collect()
}

#[derive(QueryableByName)]
struct GradeRow {
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = Bool)]
    sold_out: bool,
}

/// The grades of each of these shows, by name; none of one with a pool that has not told its own.
pub async fn grades(
    connection: &mut AsyncPgConnection,
    show_ids: &[Uuid],
) -> QueryResult<HashMap<Uuid, Grades>> {
    let rows: Vec<GradeRow> = diesel::sql_query(
        "SELECT s.show_id, g.grade, bool_and(g.grade = ANY(s.sold_out_grades)) AS sold_out FROM stock s, unnest(s.grades) AS g(grade) \
         WHERE s.show_id = ANY($1) AND NOT EXISTS (SELECT FROM stock t WHERE t.show_id = s.show_id AND t.grades = '{}' AND t.room > 0) \
         GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .bind::<Array<SqlUuid>, _>(show_ids)
    .load(connection)
    .await?;
    let none = show_ids.iter().map(|show_id| (*show_id, Grades::default()));
    let mut shows: HashMap<Uuid, Grades> = none.collect();
    for row in rows {
        let grades = shows.entry(row.show_id).or_default();
        if row.sold_out {
            grades.sold_out.push(row.grade.clone());
        }
        grades.all.push(row.grade);
    }
    Ok(shows)
}
