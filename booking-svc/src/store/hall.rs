//! Halls and their units.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Double, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json::Json;
use super::schema::{hall, venue};
use super::{column, count};
use crate::domain::hall::{GradeCount, GradeCounts, Hall, Unit, UnitKind};
use crate::domain::plan::Plan;

/// Column `plan`: what is known of a hall besides its units.
#[derive(Debug, Serialize, Deserialize)]
struct HallDocument {
    /// Counts of its units, which never change.
    counts: Vec<GradeCount>,
    /// What is drawn beside the seats; absent without a plan.
    drawing: Option<Plan>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = hall, check_for_backend(diesel::pg::Pg))]
struct HallRow {
    hall_id: Uuid,
    venue_id: Uuid,
    name: String,
    layout_rev: i32,
    unit_count: i32,
    plan: Json<HallDocument>,
    create_time: DateTime<Utc>,
}

impl HallRow {
    fn into_hall(self) -> QueryResult<Hall> {
        Ok(Hall {
            hall_id: self.hall_id,
            venue_id: self.venue_id,
            name: self.name,
            layout_rev: count(self.layout_rev)?,
            unit_count: count(self.unit_count)?,
            counts: self.plan.0.counts,
            create_time: self.create_time,
        })
    }
}

/// A hall to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewHall<'a> {
    /// Id.
    pub hall_id: Uuid,
    /// Venue.
    pub venue_id: Uuid,
    /// Name.
    pub name: &'a str,
    /// Its numbered units.
    pub units: &'a [Unit],
    /// What is drawn beside them.
    pub drawing: Option<&'a Plan>,
}

/// The first revision of a layout.
const FIRST_REVISION: i32 = 1;

/// Adds a hall with its units. `hall_venue_name` refuses a name that the venue has.
pub async fn insert(connection: &mut Connection, new: NewHall<'_>) -> QueryResult<Hall> {
    let document = HallDocument {
        counts: GradeCounts::of(new.units).into_list(),
        drawing: new.drawing.cloned(),
    };
    let row: HallRow = diesel::insert_into(hall::table)
        .values((
            hall::hall_id.eq(new.hall_id),
            hall::venue_id.eq(new.venue_id),
            hall::name.eq(new.name),
            hall::layout_rev.eq(FIRST_REVISION),
            hall::unit_count.eq(column(new.units.len())?),
            hall::plan.eq(Json(&document)),
        ))
        .returning(HallRow::as_returning())
        .get_result(connection)
        .await?;
    insert_units(connection, new.hall_id, new.units).await?;
    row.into_hall()
}

/// One statement for all units: 100,000 single ones would outlive any deadline.
async fn insert_units(
    connection: &mut Connection,
    hall_id: Uuid,
    units: &[Unit],
) -> QueryResult<()> {
    let text = |of: fn(&Unit) -> &str| units.iter().map(of).collect::<Vec<_>>();
    let ords = units
        .iter()
        .map(|unit| column(unit.ord))
        .collect::<QueryResult<Vec<_>>>()?;
    let capacities = units
        .iter()
        .map(|unit| column(unit.capacity()))
        .collect::<QueryResult<Vec<_>>>()?;
    let xs: Vec<_> = units
        .iter()
        .map(|unit| unit.position.map(|at| at.x))
        .collect();
    let ys: Vec<_> = units
        .iter()
        .map(|unit| unit.position.map(|at| at.y))
        .collect();
    let accessible: Vec<_> = units.iter().map(|unit| unit.accessible).collect();
    diesel::sql_query(
        "INSERT INTO hall_unit (hall_id, ord, kind, seat_guid, zone, row_name, number, grade, x, y, accessible, capacity)
         SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS u",
    )
    .bind::<SqlUuid, _>(hall_id)
    .bind::<Array<Integer>, _>(ords)
    .bind::<Array<Text>, _>(text(kind))
    .bind::<Array<Nullable<Text>>, _>(units.iter().map(guid).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(text(|unit| &unit.zone))
    .bind::<Array<Text>, _>(text(|unit| &unit.row))
    .bind::<Array<Text>, _>(text(|unit| &unit.number))
    .bind::<Array<Text>, _>(text(|unit| &unit.grade))
    .bind::<Array<Nullable<Double>>, _>(xs)
    .bind::<Array<Nullable<Double>>, _>(ys)
    .bind::<Array<Bool>, _>(accessible)
    .bind::<Array<Integer>, _>(capacities)
    .execute(connection)
    .await?;
    Ok(())
}

fn kind(unit: &Unit) -> &'static str {
    match unit.kind {
        UnitKind::Seat { .. } => "SEAT",
        UnitKind::Area { .. } => "AREA",
    }
}

fn guid(unit: &Unit) -> Option<&str> {
    match &unit.kind {
        UnitKind::Seat { guid } => Some(guid),
        UnitKind::Area { .. } => None,
    }
}

/// One hall.
pub async fn load(connection: &mut Connection, hall_id: Uuid) -> QueryResult<Option<Hall>> {
    let query = hall::table.find(hall_id).select(HallRow::as_select());
    let row: Option<HallRow> = query.first(connection).await.optional()?;
    row.map(HallRow::into_hall).transpose()
}

/// One hall and the seller of its venue.
pub async fn load_with_seller(
    connection: &mut Connection,
    hall_id: Uuid,
) -> QueryResult<Option<(Hall, Uuid)>> {
    let query = hall::table.find(hall_id).inner_join(venue::table);
    let query = query.select((HallRow::as_select(), venue::seller_id));
    let row: Option<(HallRow, Uuid)> = query.first(connection).await.optional()?;
    row.map(|(hall, seller_id)| Ok((hall.into_hall()?, seller_id)))
        .transpose()
}

/// Halls of a venue, newest first: at most `limit`, older than `after`.
pub async fn list(
    connection: &mut Connection,
    venue_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Hall>> {
    let mut query = hall::table.select(HallRow::as_select()).into_boxed();
    query = query.filter(hall::venue_id.eq(venue_id));
    if let Some(after) = after {
        query = query.filter(hall::hall_id.lt(after));
    }
    let rows = query
        .order(hall::hall_id.desc())
        .limit(limit)
        .load(connection)
        .await?;
    rows.into_iter().map(HallRow::into_hall).collect()
}
