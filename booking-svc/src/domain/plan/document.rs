//! Reads the file from its first to its last event, in whatever order its keys stand.
//!
//! A part that is wrong still leaves a place in its list, so that the indices of what follows are those of the file.

use std::collections::HashMap;

use super::drawing;
use super::events::{Events, Member, Read, optional, required};
use super::{Category, Plan, Point, Row, Seat, Size, Zone};
use crate::domain::finding::Findings;
use crate::domain::limits::{GRADES_MAX, UNITS_MAX};

/// Zones of one plan: the largest stadiums number their blocks in the hundreds.
const ZONES_MAX: usize = 1_000;

/// Rows of one plan, with or without seats: as many as seats, since a table with one seat is a row.
const ROWS_MAX: usize = UNITS_MAX;

/// Drawings of one plan: an outline and a caption for each of [`ZONES_MAX`] zones, and room for bars and stairs.
const AREAS_MAX: usize = 10_000;

/// The category of a seat that names none; such a seat was noted.
pub(super) const NO_CATEGORY: usize = usize::MAX;

/// Names of categories as seats give them, by the number that stands in their place until the categories are known.
#[derive(Default)]
struct CategoryNames {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl CategoryNames {
    fn number(&mut self, name: String) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.names.len();
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

/// What was counted over all zones.
#[derive(Default)]
struct Totals {
    seats: usize,
    rows: usize,
    areas: usize,
    category_names: CategoryNames,
}

/// What reading gave.
pub(super) struct Document {
    /// The plan. Its seats hold an index of `category_names`.
    pub(super) plan: Plan,
    /// Names of categories as seats give them.
    pub(super) category_names: Vec<String>,
    /// What is wrong so far.
    pub(super) violations: Findings,
    /// Whether the text was JSON to its end, so that what is absent is truly absent.
    pub(super) complete: bool,
}

/// Reads `file` as far as it is JSON.
pub(super) fn read(file: &[u8]) -> Document {
    // RFC 8259 allows readers to ignore a byte order mark, and editors on Windows write one.
    let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    let mut events = Events::new(text);
    let mut totals = Totals::default();
    let mut plan = Plan {
        name: String::new(),
        size: None,
        categories: Vec::new(),
        zones: Vec::new(),
    };
    let outcome = read_plan(&mut events, &mut totals, &mut plan);
    let (mut violations, complete) = events.finish(outcome);
    for (count, max, what) in [
        (totals.seats, UNITS_MAX, "seats"),
        (totals.rows, ROWS_MAX, "rows"),
        (totals.areas, AREAS_MAX, "areas"),
    ] {
        if count > max {
            violations.add(
                "zones",
                format!("have {count} {what}; at most {max} are allowed"),
            );
        }
    }
    Document {
        plan,
        category_names: totals.category_names.names,
        violations,
        complete,
    }
}

fn read_plan(events: &mut Events<'_>, totals: &mut Totals, plan: &mut Plan) -> Read<()> {
    const PLAN: &[Member] = &[
        required("name"),
        required("categories"),
        required("zones"),
        optional("size"),
    ];
    events.object(PLAN, |events, member| match member {
        "name" => {
            plan.name = events.name()?.unwrap_or_default();
            Ok(())
        }
        "categories" => events.array(GRADES_MAX, |events| {
            plan.categories.push(read_category(events)?);
            Ok(())
        }),
        "zones" => events.array(ZONES_MAX, |events| {
            plan.zones.push(read_zone(events, totals)?);
            Ok(())
        }),
        _ => {
            plan.size = read_size(events)?;
            Ok(())
        }
    })?;
    Ok(())
}

fn read_size(events: &mut Events<'_>) -> Read<Option<Size>> {
    const SIZE: &[Member] = &[required("width"), required("height")];
    let (mut width, mut height) = (None, None);
    events.object(SIZE, |events, member| {
        let number = events.number()?;
        match member {
            "width" => width = number,
            _ => height = number,
        }
        Ok(())
    })?;
    Ok(width
        .zip(height)
        .map(|(width, height)| Size { width, height }))
}

fn read_category(events: &mut Events<'_>) -> Read<Category> {
    const CATEGORY: &[Member] = &[required("name"), optional("color")];
    let (mut name, mut color) = (None, None);
    events.object(CATEGORY, |events, member| {
        match member {
            "name" => name = events.name()?,
            _ => color = events.label()?,
        }
        Ok(())
    })?;
    Ok(Category {
        name: name.unwrap_or_default(),
        color: color.unwrap_or_default(),
    })
}

fn read_zone(events: &mut Events<'_>, totals: &mut Totals) -> Read<Zone> {
    // The schema lets a zone go without a name. usher prints it on every ticket, so here it is required.
    const ZONE: &[Member] = &[
        required("name"),
        required("position"),
        required("rows"),
        optional("areas"),
    ];
    let (mut name, mut position) = (None, Point::default());
    let (mut rows, mut areas) = (Vec::new(), Vec::new());
    events.object(ZONE, |events, member| match member {
        "name" => {
            name = events.name()?;
            Ok(())
        }
        "position" => {
            position = events.point()?.unwrap_or_default();
            Ok(())
        }
        "rows" => events.array(usize::MAX, |events| {
            totals.rows += 1;
            if totals.rows > ROWS_MAX {
                return events.skip();
            }
            rows.push(read_row(events, totals)?);
            Ok(())
        }),
        _ => events.array(usize::MAX, |events| {
            totals.areas += 1;
            if totals.areas > AREAS_MAX {
                return events.skip();
            }
            areas.extend(drawing::read(events)?);
            Ok(())
        }),
    })?;
    // The position of a zone may follow its rows in the file.
    for seat in rows.iter_mut().flat_map(|row: &mut Row| &mut row.seats) {
        seat.position = position.offset(seat.position);
    }
    for area in &mut areas {
        area.position = position.offset(area.position);
    }
    Ok(Zone {
        name: name.unwrap_or_default(),
        rows,
        areas,
    })
}

fn read_row(events: &mut Events<'_>, totals: &mut Totals) -> Read<Row> {
    const ROW: &[Member] = &[
        required("row_number"),
        required("seats"),
        optional("position"),
    ];
    let (mut name, mut position, mut seats) = (None, Point::default(), Vec::new());
    events.object(ROW, |events, member| match member {
        "row_number" => {
            name = events.name()?;
            Ok(())
        }
        "position" => {
            position = events.point()?.unwrap_or_default();
            Ok(())
        }
        _ => events.array(usize::MAX, |events| {
            totals.seats += 1;
            if totals.seats > UNITS_MAX {
                return events.skip();
            }
            seats.push(read_seat(events, &mut totals.category_names)?);
            Ok(())
        }),
    })?;
    for seat in &mut seats {
        seat.position = position.offset(seat.position);
    }
    Ok(Row {
        name: name.unwrap_or_default(),
        seats,
    })
}

fn read_seat(events: &mut Events<'_>, categories: &mut CategoryNames) -> Read<Seat> {
    const SEAT: &[Member] = &[
        required("seat_guid"),
        required("seat_number"),
        required("category"),
        required("position"),
    ];
    let (mut guid, mut number, mut category, mut position) = (None, None, None, None);
    events.object(SEAT, |events, member| {
        match member {
            "seat_guid" => guid = events.name()?,
            "seat_number" => number = events.name()?,
            "category" => category = events.label()?,
            _ => position = events.point()?,
        }
        Ok(())
    })?;
    Ok(Seat {
        guid: guid.unwrap_or_default(),
        number: number.unwrap_or_default(),
        category: category.map_or(NO_CATEGORY, |name| categories.number(name)),
        position: position.unwrap_or_default(),
    })
}
