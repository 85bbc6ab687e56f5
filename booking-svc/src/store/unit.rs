//! Units on sale.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;

use super::schema::{hall_unit, inv_unit, performance, price};
use super::{broken, column, count, currency};
use crate::domain::hall::{Unit, UnitKind};
use crate::domain::plan::Point;
use crate::domain::unit::{Availability, Counters, UnitFilter, UnitOnSale};

#[derive(Queryable, Selectable)]
#[diesel(table_name = hall_unit, check_for_backend(diesel::pg::Pg))]
struct HallUnitRow {
    ord: i32,
    kind: String,
    seat_guid: Option<String>,
    zone: String,
    row_name: String,
    number: String,
    grade: String,
    x: Option<f64>,
    y: Option<f64>,
    accessible: bool,
    capacity: i32,
}

impl HallUnitRow {
    fn into_unit(self) -> QueryResult<Unit> {
        let kind = match (self.kind.as_str(), self.seat_guid) {
            ("SEAT", Some(guid)) => UnitKind::Seat { guid },
            ("AREA", None) => UnitKind::Area {
                capacity: count(self.capacity)?,
            },
            (other, _) => return Err(broken(format!("kind {other:?} of a unit"))),
        };
        Ok(Unit {
            ord: count(self.ord)?,
            kind,
            zone: self.zone,
            row: self.row_name,
            number: self.number,
            grade: self.grade,
            position: self.x.zip(self.y).map(|(x, y)| Point { x, y }),
            accessible: self.accessible,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = inv_unit, check_for_backend(diesel::pg::Pg))]
struct CountersRow {
    capacity: i32,
    overbook: i32,
    blocked: i32,
    held: i32,
    sold: i32,
}

impl CountersRow {
    fn into_counters(self) -> QueryResult<Counters> {
        Ok(Counters {
            places: count(i64::from(self.capacity) + i64::from(self.overbook))?,
            blocked: count(self.blocked)?,
            held: count(self.held)?,
            sold: count(self.sold)?,
        })
    }
}

/// Units of a pool by ord: at most `limit`, behind `after`.
pub async fn list(
    connection: &mut Connection,
    filter: &UnitFilter,
    after: Option<u32>,
    limit: i64,
) -> QueryResult<Vec<UnitOnSale>> {
    let of_performance = performance::pool_id.eq(inv_unit::pool_id);
    let of_hall = hall_unit::hall_id
        .eq(performance::hall_id)
        .and(hall_unit::ord.eq(inv_unit::ord));
    let of_grade = price::performance_id
        .eq(performance::performance_id)
        .and(price::grade.eq(inv_unit::grade));
    let mut query = inv_unit::table
        .inner_join(performance::table.on(of_performance))
        .inner_join(hall_unit::table.on(of_hall))
        .inner_join(price::table.on(of_grade))
        .select((
            HallUnitRow::as_select(),
            CountersRow::as_select(),
            (price::amount, price::currency),
        ))
        .filter(inv_unit::pool_id.eq(filter.pool_id))
        .into_boxed();
    if let Some(zone) = &filter.zone {
        query = query.filter(hall_unit::zone.eq(zone));
    }
    if let Some(grade) = &filter.grade {
        query = query.filter(inv_unit::grade.eq(grade));
    }
    let taken = inv_unit::held + inv_unit::sold + inv_unit::blocked;
    let places = inv_unit::capacity + inv_unit::overbook;
    query = match filter.availability {
        None => query,
        Some(Availability::Available) => query.filter(taken.lt(places)),
        Some(Availability::HeldOut) => query.filter(taken.ge(places).and(inv_unit::held.gt(0))),
        Some(Availability::SoldOut) => query.filter(taken.ge(places).and(inv_unit::held.eq(0))),
    };
    if let Some(after) = after {
        query = query.filter(inv_unit::ord.gt(column(after)?));
    }
    let rows: Vec<(HallUnitRow, CountersRow, (i64, String))> = query
        .order(inv_unit::ord)
        .limit(limit)
        .load(connection)
        .await?;
    let unit = |(unit, counters, (amount, code)): (HallUnitRow, CountersRow, (i64, String))| {
        Ok(UnitOnSale {
            unit: unit.into_unit()?,
            price: Money::new(amount, currency(&code)?),
            counters: counters.into_counters()?,
        })
    };
    rows.into_iter().map(unit).collect()
}
