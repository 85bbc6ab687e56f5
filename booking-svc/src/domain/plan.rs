//! Seating plans: the pretix JSON format in, a compact layout out.
//!
//! The file is read as a stream of events, never as a tree: at no time is there more in memory than the file and the layout.
//! Keys that we do not know are skipped, because every editor adds its own. What is wrong is collected and told at once, as far as
//! the text is JSON at all. Reading (`document`, `drawing`) sees one place at a time; `check` then compares places.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::finding::Findings;
use super::hall::GradeCounts;

mod check;
mod document;
mod drawing;
mod events;
#[cfg(test)]
mod tests;

pub use drawing::{Drawing, Shape};

/// A seating plan as usher keeps it. Positions are absolute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name inside the file.
    pub name: String,
    /// Size of the canvas, when the file tells it.
    pub size: Option<Size>,
    /// Categories of seats: the grades, in file order.
    pub categories: Vec<Category>,
    /// Zones in file order.
    pub zones: Vec<Zone>,
}

/// Width and height in the plan's own unit, usually pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A point in the plan's own unit; y grows downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

impl Point {
    /// The point seen from the origin of `self`, rounded to a thousandth so that sums of decimals stay short in JSON.
    fn offset(self, by: Self) -> Self {
        let sum = |a: f64, b: f64| ((a + b) * 1_000.0).round() / 1_000.0;
        Self {
            x: sum(self.x, by.x),
            y: sum(self.y, by.y),
        }
    }
}

/// A category of seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Name: the grade.
    pub name: String,
    /// Colour as written, for whoever draws the map.
    pub color: String,
}

/// A part of the house: stalls, balcony.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Name.
    pub name: String,
    /// Rows in file order.
    pub rows: Vec<Row>,
    /// Drawings in file order: stages, bars, standing areas.
    pub areas: Vec<Drawing>,
}

/// A row of seats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name.
    pub name: String,
    /// Seats in file order.
    pub seats: Vec<Seat>,
}

/// A numbered seat. In JSON an array, because there are many: guid, number, category, x, y.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "SeatCells", into = "SeatCells")]
pub struct Seat {
    /// Stable identity, unique in the plan.
    pub guid: String,
    /// Number as printed.
    pub number: String,
    /// Index of its category in [`Plan::categories`].
    pub category: usize,
    /// Absolute position.
    pub position: Point,
}

type SeatCells = (String, String, usize, f64, f64);

impl From<SeatCells> for Seat {
    fn from((guid, number, category, x, y): SeatCells) -> Self {
        let position = Point { x, y };
        Self {
            guid,
            number,
            category,
            position,
        }
    }
}

impl From<Seat> for SeatCells {
    fn from(seat: Seat) -> Self {
        let Point { x, y } = seat.position;
        (seat.guid, seat.number, seat.category, x, y)
    }
}

/// A plan that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The layout.
    pub plan: Plan,
    /// What was understood but looks odd.
    pub warnings: Findings,
}

/// Reads a file. The findings of an `Err` are violations, all that could be seen.
///
/// How large `file` may be is the caller's to say: time and memory are linear in it.
pub fn import(file: &[u8]) -> Result<Import, Findings> {
    let mut document = document::read(file);
    if !document.complete {
        // Half a file names categories and seats that stand in the other half.
        return Err(document.violations);
    }
    let warnings = check::check(&mut document);
    let plan = document.plan;
    document
        .violations
        .or_else_refuse(Import { plan, warnings })
}

impl Plan {
    /// How many seats there are.
    #[must_use]
    pub fn seat_count(&self) -> usize {
        self.seats().count()
    }

    /// Seats by zone and grade, in file order.
    #[must_use]
    pub fn counts(&self) -> GradeCounts {
        let mut counts = GradeCounts::default();
        for (zone, _, seat) in self.seats() {
            counts.add_seat(&zone.name, self.grade(seat));
        }
        counts
    }

    /// Every seat with its zone and row, in file order.
    pub fn seats(&self) -> impl Iterator<Item = (&Zone, &Row, &Seat)> {
        self.zones.iter().flat_map(|zone| {
            let rows = zone.rows.iter();
            rows.flat_map(move |row| row.seats.iter().map(move |seat| (zone, row, seat)))
        })
    }

    /// The grade of a seat of this plan.
    #[must_use]
    pub fn grade(&self, seat: &Seat) -> &str {
        let category = self.categories.get(seat.category);
        category.map_or("", |category| category.name.as_str())
    }

    /// Drawings by their text, the first of each.
    #[must_use]
    pub fn drawings(&self) -> HashMap<&str, &Drawing> {
        let mut drawings = HashMap::new();
        for area in self.zones.iter().flat_map(|zone| &zone.areas) {
            if !area.text.is_empty() {
                drawings.entry(area.text.as_str()).or_insert(area);
            }
        }
        drawings
    }

    /// The plan without its seats: what is left to draw when every seat has its own row in a table.
    #[must_use]
    pub fn without_seats(mut self) -> Self {
        for zone in &mut self.zones {
            zone.rows.clear();
        }
        self
    }
}
