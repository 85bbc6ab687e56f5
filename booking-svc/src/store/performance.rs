//! Performances with their prices and their inventory.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;
use uuid::Uuid;

use super::schema::{performance, price};
use super::{column, count, currency};
use crate::domain::performance::{GradeAvailability, GradePrice, Performance, PerformanceSpec};

#[derive(Queryable, Selectable)]
#[diesel(table_name = performance, check_for_backend(diesel::pg::Pg))]
struct PerformanceRow {
    performance_id: Uuid,
    show_id: Uuid,
    hall_id: Uuid,
    layout_rev: i32,
    pool_id: Uuid,
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
}

impl PerformanceRow {
    fn into_performance(self, prices: Vec<GradePrice>) -> QueryResult<Performance> {
        Ok(Performance {
            performance_id: self.performance_id,
            pool_id: self.pool_id,
            layout_rev: count(self.layout_rev)?,
            spec: PerformanceSpec {
                show_id: self.show_id,
                hall_id: self.hall_id,
                start_time: self.start_time,
                end_time: self.end_time,
                prices,
            },
        })
    }
}

/// Adds a performance: its pool, its prices, a copy of every unit of the hall, and the counters of its grades.
pub async fn insert(connection: &mut Connection, new: &Performance) -> QueryResult<()> {
    let layout_rev = column(new.layout_rev)?;
    diesel::sql_query(
        "INSERT INTO inv_pool (pool_id, kind, subject_id, show_id, layout_rev, state, room)
         SELECT $1, 'PERFORMANCE', $2, $3, $4, 'OPEN', coalesce(sum(capacity), 0) FROM hall_unit WHERE hall_id = $5",
    )
    .bind::<SqlUuid, _>(new.pool_id)
    .bind::<SqlUuid, _>(new.performance_id)
    .bind::<SqlUuid, _>(new.spec.show_id)
    .bind::<Integer, _>(layout_rev)
    .bind::<SqlUuid, _>(new.spec.hall_id)
    .execute(connection)
    .await?;
    diesel::insert_into(performance::table)
        .values((
            performance::performance_id.eq(new.performance_id),
            performance::show_id.eq(new.spec.show_id),
            performance::hall_id.eq(new.spec.hall_id),
            performance::layout_rev.eq(layout_rev),
            performance::pool_id.eq(new.pool_id),
            performance::start_time.eq(new.spec.start_time),
            performance::end_time.eq(new.spec.end_time),
            performance::state.eq("SCHEDULED"),
        ))
        .execute(connection)
        .await?;
    let row = |priced: &GradePrice| {
        (
            price::performance_id.eq(new.performance_id),
            price::grade.eq(priced.grade.clone()),
            price::amount.eq(priced.price.minor_units),
            price::currency.eq(priced.price.currency.code()),
        )
    };
    let prices: Vec<_> = new.spec.prices.iter().map(row).collect();
    diesel::insert_into(price::table)
        .values(prices)
        .execute(connection)
        .await?;
    diesel::sql_query(
        "INSERT INTO inv_unit (pool_id, ord, grade, exclusive, capacity)
         SELECT $1, ord, grade, kind = 'SEAT', capacity FROM hall_unit WHERE hall_id = $2",
    )
    .bind::<SqlUuid, _>(new.pool_id)
    .bind::<SqlUuid, _>(new.spec.hall_id)
    .execute(connection)
    .await?;
    diesel::sql_query(
        "INSERT INTO inv_grade (pool_id, grade, room)
         SELECT $1, grade, sum(capacity) FROM hall_unit WHERE hall_id = $2 GROUP BY grade",
    )
    .bind::<SqlUuid, _>(new.pool_id)
    .bind::<SqlUuid, _>(new.spec.hall_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// One performance.
pub async fn load(
    connection: &mut Connection,
    performance_id: Uuid,
) -> QueryResult<Option<Performance>> {
    let query = performance::table
        .find(performance_id)
        .select(PerformanceRow::as_select());
    let row: Option<PerformanceRow> = query.first(connection).await.optional()?;
    let Some(row) = row else { return Ok(None) };
    let mut prices = prices(connection, &[performance_id]).await?;
    row.into_performance(prices.remove(&performance_id).unwrap_or_default())
        .map(Some)
}

/// Performances of a show by start time: at most `limit`, behind `after`, starting after `start_time_after`.
pub async fn list(
    connection: &mut Connection,
    show_id: Uuid,
    start_time_after: Option<DateTime<Utc>>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Performance>> {
    let mut query = performance::table
        .select(PerformanceRow::as_select())
        .into_boxed();
    query = query.filter(performance::show_id.eq(show_id));
    if let Some(start_time) = start_time_after {
        query = query.filter(performance::start_time.gt(start_time));
    }
    if let Some((start_time, performance_id)) = after {
        let later = performance::start_time.gt(start_time);
        let same = performance::start_time.eq(start_time);
        query = query.filter(later.or(same.and(performance::performance_id.gt(performance_id))));
    }
    let order = (performance::start_time, performance::performance_id);
    let rows = query.order(order).limit(limit).load(connection).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.performance_id).collect();
    let mut prices = prices(connection, &ids).await?;
    let performance = |row: PerformanceRow| {
        let prices = prices.remove(&row.performance_id).unwrap_or_default();
        row.into_performance(prices)
    };
    rows.into_iter().map(performance).collect()
}

async fn prices(
    connection: &mut Connection,
    ids: &[Uuid],
) -> QueryResult<HashMap<Uuid, Vec<GradePrice>>> {
    let query = price::table.filter(price::performance_id.eq_any(ids));
    let query = query.order((price::performance_id, price::grade));
    let rows: Vec<(Uuid, String, i64, String)> = query
        .select((
            price::performance_id,
            price::grade,
            price::amount,
            price::currency,
        ))
        .load(connection)
        .await?;
    let mut prices: HashMap<Uuid, Vec<GradePrice>> = HashMap::new();
    for (performance_id, grade, amount, code) in rows {
        let price = Money::new(amount, currency(&code)?);
        prices
            .entry(performance_id)
            .or_default()
            .push(GradePrice { grade, price });
    }
    Ok(prices)
}

#[derive(QueryableByName)]
struct AvailabilityRow {
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    available: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    sold: i64,
}

/// Places of a pool by grade.
pub async fn availability(
    connection: &mut Connection,
    pool_id: Uuid,
) -> QueryResult<Vec<GradeAvailability>> {
    let rows: Vec<AvailabilityRow> = diesel::sql_query(
        "SELECT grade, sum(capacity + overbook) AS total, sum(capacity + overbook - blocked - held - sold) AS available,
                sum(held) AS held, sum(sold) AS sold
         FROM inv_unit WHERE pool_id = $1 GROUP BY grade ORDER BY grade",
    )
    .bind::<SqlUuid, _>(pool_id)
    .load(connection)
    .await?;
    let availability = |row: AvailabilityRow| {
        Ok(GradeAvailability {
            grade: row.grade,
            total: count(row.total)?,
            available: count(row.available)?,
            held: count(row.held)?,
            sold: count(row.sold)?,
        })
    };
    rows.into_iter().map(availability).collect()
}
