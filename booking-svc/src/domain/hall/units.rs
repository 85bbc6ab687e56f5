//! Numbers the units of a hall.

use std::collections::HashSet;

use super::{AreaSpec, HallLayout, RowRange, RowRef, SeatSource, Unit, UnitKind};
use crate::domain::finding::Findings;
use crate::domain::limits::{AREA_CAPACITY_MAX, GRADES_MAX, UNITS_MAX};
use crate::domain::plan::Plan;
use crate::domain::text::check_name;

pub(super) fn number(layout: &HallLayout) -> Result<Vec<Unit>, Findings> {
    let mut violations = Findings::new();
    check_count(layout, &mut violations);
    if !violations.is_empty() {
        // Nothing is numbered that could not be kept: four billion seats fit in one line of a request.
        check_areas(&layout.areas, &mut violations);
        return Err(violations);
    }
    let accessible = AccessibleRows::new(&layout.accessible_rows, &mut violations);
    let mut units = match &layout.seats {
        SeatSource::None => Vec::new(),
        SeatSource::Plan(plan) => plan_seats(plan, &accessible),
        SeatSource::Rows(rows) => row_seats(rows, &accessible, &mut violations),
    };
    accessible.refuse_unknown(&units, &mut violations);
    check_areas(&layout.areas, &mut violations);
    let plan = match &layout.seats {
        SeatSource::Plan(plan) => Some(plan),
        SeatSource::None | SeatSource::Rows(_) => None,
    };
    units.extend(area_units(&layout.areas, plan));
    check_grades(&units, &mut violations);
    for (ord, unit) in (0..).zip(&mut units) {
        unit.ord = ord;
    }
    violations.or_else_refuse(units)
}

fn check_count(layout: &HallLayout, violations: &mut Findings) {
    let seats = match &layout.seats {
        SeatSource::None => 0,
        SeatSource::Plan(plan) => plan.seat_count(),
        SeatSource::Rows(rows) => rows.iter().fold(0, |sum: usize, row| {
            let seats = u64::from(row.to).saturating_sub(u64::from(row.from)) + 1;
            sum.saturating_add(usize::try_from(seats).unwrap_or(usize::MAX))
        }),
    };
    let units = seats.saturating_add(layout.areas.len());
    let field = match &layout.seats {
        SeatSource::None => "areas",
        SeatSource::Plan(_) => "plan_id",
        SeatSource::Rows(_) => "row_layout.rows",
    };
    if units == 0 {
        violations.add(field, "must give the hall at least one seat or area");
    } else if units > UNITS_MAX {
        violations.add(
            field,
            format!("give the hall {units} units; at most {UNITS_MAX} are allowed"),
        );
    }
}

/// Rows whose seats are accessible, each with its place in the request.
struct AccessibleRows<'a> {
    refs: &'a [RowRef],
    rows: HashSet<(&'a str, &'a str)>,
}

impl<'a> AccessibleRows<'a> {
    fn new(refs: &'a [RowRef], violations: &mut Findings) -> Self {
        let mut rows = HashSet::new();
        for (index, row) in refs.iter().enumerate() {
            if !rows.insert((row.zone.as_str(), row.row.as_str())) {
                violations.add(format!("accessible_rows[{index}]"), "is named twice");
            }
        }
        Self { refs, rows }
    }

    fn contain(&self, zone: &str, row: &str) -> bool {
        self.rows.contains(&(zone, row))
    }

    fn refuse_unknown(&self, seats: &[Unit], violations: &mut Findings) {
        let known: HashSet<_> = seats
            .iter()
            .map(|seat| (seat.zone.as_str(), seat.row.as_str()))
            .collect();
        for (index, row) in self.refs.iter().enumerate() {
            if !known.contains(&(row.zone.as_str(), row.row.as_str())) {
                violations.add(
                    format!("accessible_rows[{index}]"),
                    "names a row that has no seats in this hall",
                );
            }
        }
    }
}

fn plan_seats(plan: &Plan, accessible: &AccessibleRows<'_>) -> Vec<Unit> {
    plan.seats()
        .map(|(zone, row, seat)| Unit {
            ord: 0,
            kind: UnitKind::Seat {
                guid: seat.guid.clone(),
            },
            zone: zone.name.clone(),
            row: row.name.clone(),
            number: seat.number.clone(),
            grade: plan.grade(seat).to_owned(),
            position: Some(seat.position),
            accessible: accessible.contain(&zone.name, &row.name),
        })
        .collect()
}

fn row_seats(
    rows: &[RowRange],
    accessible: &AccessibleRows<'_>,
    violations: &mut Findings,
) -> Vec<Unit> {
    let mut seats = Vec::new();
    let mut guids = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let field = format!("row_layout.rows[{index}]");
        if !check_row(&field, row, violations) {
            continue;
        }
        let mut repeated = None;
        for number in row.from..=row.to {
            let guid = seat_guid(&row.zone, &row.row, number);
            if !guids.insert(guid.clone()) {
                repeated = repeated.or(Some(number));
            }
            seats.push(Unit {
                ord: 0,
                kind: UnitKind::Seat { guid },
                zone: row.zone.clone(),
                row: row.row.clone(),
                number: number.to_string(),
                grade: row.grade.clone(),
                position: None,
                accessible: accessible.contain(&row.zone, &row.row),
            });
        }
        if let Some(number) = repeated {
            violations.add(field, format!("seat {number} of this row is there already"));
        }
    }
    seats
}

fn check_row(field: &str, row: &RowRange, violations: &mut Findings) -> bool {
    let mut right = true;
    let names = [
        ("zone", &row.zone),
        ("row", &row.row),
        ("grade", &row.grade),
    ];
    for (key, name) in names {
        if let Err(problem) = check_name(name) {
            violations.add(format!("{field}.{key}"), problem.to_string());
            right = false;
        }
    }
    if row.from == 0 {
        violations.add(format!("{field}.from"), "must be at least 1");
        right = false;
    }
    if row.to < row.from {
        violations.add(format!("{field}.to"), "must not be below from");
        right = false;
    }
    right
}

/// The identity of a seat of the short form. A slash inside a name is doubled, so that no two seats read the same.
fn seat_guid(zone: &str, row: &str, number: u32) -> String {
    let escape = |name: &str| name.replace('/', "//");
    format!("{} / {} / {number}", escape(zone), escape(row))
}

fn check_areas(areas: &[AreaSpec], violations: &mut Findings) {
    let mut names = HashSet::new();
    for (index, area) in areas.iter().enumerate() {
        let field = format!("areas[{index}]");
        let texts = [
            ("name", &area.name),
            ("zone", &area.zone),
            ("grade", &area.grade),
        ];
        for (key, name) in texts {
            if let Err(problem) = check_name(name) {
                violations.add(format!("{field}.{key}"), problem.to_string());
            }
        }
        if !names.insert(area.name.as_str()) {
            violations.add(format!("{field}.name"), "is the name of another area");
        }
        if !(1..=AREA_CAPACITY_MAX).contains(&area.capacity) {
            violations.add(
                format!("{field}.capacity"),
                format!("must be 1..{AREA_CAPACITY_MAX}"),
            );
        }
    }
}

fn area_units(areas: &[AreaSpec], plan: Option<&Plan>) -> Vec<Unit> {
    let drawings = plan.map(Plan::drawings).unwrap_or_default();
    let unit = |area: &AreaSpec| Unit {
        ord: 0,
        kind: UnitKind::Area {
            capacity: area.capacity,
        },
        zone: area.zone.clone(),
        row: String::new(),
        number: area.name.clone(),
        grade: area.grade.clone(),
        position: drawings
            .get(area.name.as_str())
            .map(|drawing| drawing.position),
        accessible: false,
    };
    areas.iter().map(unit).collect()
}

fn check_grades(units: &[Unit], violations: &mut Findings) {
    let grades: HashSet<_> = units.iter().map(|unit| unit.grade.as_str()).collect();
    if grades.len() > GRADES_MAX {
        violations.add(
            "$",
            format!(
                "has {} grades; at most {GRADES_MAX} are allowed",
                grades.len()
            ),
        );
    }
}
