//! How much of each grade of a pool is sold.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use crate::domain::inventory::{GradeLevel, Snapshot};

#[derive(QueryableByName)]
struct GradeRow {
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = BigInt)]
    room: i64,
    #[diesel(sql_type = BigInt)]
    sold: i64,
}

/// Moves what is sold of each grade from `before` to `after`. Answers the pools of which a grade went with that, or came back.
pub(super) async fn update(
    connection: &mut Connection,
    before: &Snapshot,
    after: &Snapshot,
) -> QueryResult<BTreeSet<Uuid>> {
    let mut moved: BTreeMap<(Uuid, &str), i64> = BTreeMap::new();
    for (key, unit) in &after.units {
        let sold_before = before.units.get(key).map_or(0, |unit| unit.sold);
        if unit.sold != sold_before {
            *moved.entry((key.pool_id, &unit.grade)).or_default() +=
                i64::from(unit.sold - sold_before);
        }
    }
    if moved.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<GradeRow> = diesel::sql_query(
        "UPDATE inv_grade g SET sold = g.sold + d.sold FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS d(pool_id, grade, sold) \
         WHERE g.pool_id = d.pool_id AND g.grade = d.grade RETURNING g.pool_id, g.grade, g.room, g.sold",
    )
    .bind::<Array<SqlUuid>, _>(moved.keys().map(|(pool_id, _)| *pool_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(moved.keys().map(|(_, grade)| *grade).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(moved.values().copied().collect::<Vec<_>>())
    .load(connection)
    .await?;
    let turned = rows.into_iter().filter(|row| {
        let by = moved.get(&(row.pool_id, row.grade.as_str()));
        let sold_before = row.sold - by.copied().unwrap_or_default();
        (row.room == row.sold) != (row.room == sold_before)
    });
    Ok(turned.map(|row| row.pool_id).collect())
}

/// The grades of pools, by name.
pub async fn grades_of(
    connection: &mut Connection,
    pools: &BTreeSet<Uuid>,
) -> QueryResult<BTreeMap<Uuid, Vec<GradeLevel>>> {
    let query = "SELECT pool_id, grade, room, sold FROM inv_grade WHERE pool_id = ANY($1) ORDER BY pool_id, grade";
    let pools: Vec<Uuid> = pools.iter().copied().collect();
    let rows: Vec<GradeRow> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(pools)
        .load(connection)
        .await?;
    let mut grades: BTreeMap<Uuid, Vec<GradeLevel>> = BTreeMap::new();
    for row in rows {
        let level = GradeLevel {
            grade: row.grade,
            room: row.room,
            sold: row.sold,
        };
        grades.entry(row.pool_id).or_default().push(level);
    }
    Ok(grades)
}
