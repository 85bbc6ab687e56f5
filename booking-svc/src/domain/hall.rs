//! Halls: where the numbers of units come from.
//!
//! `ord` counts from 0 through the seats in the order of the plan or of the rows, then through the areas in the order of the
//! request. Inventory, holds and tickets name a unit by it, so the order is part of the contract.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::finding::Findings;
use super::plan::{Plan, Point};

mod counts;
#[cfg(test)]
mod tests;
mod units;

pub use counts::{GradeCount, GradeCounts};

/// A room of a venue. It never changes; a new layout would be a new revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hall {
    /// Id.
    pub hall_id: Uuid,
    /// Venue it belongs to.
    pub venue_id: Uuid,
    /// Name, unique in the venue.
    pub name: String,
    /// Revision of the layout, from 1.
    pub layout_rev: u32,
    /// Units: seats, and areas counted once each.
    pub unit_count: u32,
    /// Counts by zone and grade.
    pub counts: Vec<GradeCount>,
    /// When it was created.
    pub create_time: DateTime<Utc>,
}

impl Hall {
    /// Its grades.
    #[must_use]
    pub fn grades(&self) -> BTreeSet<String> {
        self.counts
            .iter()
            .map(|count| count.grade.clone())
            .collect()
    }
}

/// What a hall is made of, as requested.
#[derive(Clone, Debug)]
pub struct HallLayout {
    /// Where the numbered seats come from.
    pub seats: SeatSource,
    /// General-admission areas.
    pub areas: Vec<AreaSpec>,
    /// Rows whose seats are accessible.
    pub accessible_rows: Vec<RowRef>,
}

/// Where the numbered seats of a hall come from.
#[derive(Clone, Debug)]
pub enum SeatSource {
    /// There are none: a hall of areas alone.
    None,
    /// An imported plan.
    Plan(Plan),
    /// Rows in the short form.
    Rows(Vec<RowRange>),
}

/// One row of seats in the short form, numbered without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRange {
    /// Zone.
    pub zone: String,
    /// Row name.
    pub row: String,
    /// First seat number, from 1.
    pub from: u32,
    /// Last seat number.
    pub to: u32,
    /// Grade of every seat.
    pub grade: String,
}

/// A general-admission area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaSpec {
    /// Name, unique in the hall.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// Grade.
    pub grade: String,
    /// People it holds.
    pub capacity: u32,
}

/// Names one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRef {
    /// Zone.
    pub zone: String,
    /// Row name.
    pub row: String,
}

/// One thing that can be sold: a seat, or an area with many places.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Number in the hall, from 0 without a gap.
    pub ord: u32,
    /// Seat or area.
    pub kind: UnitKind,
    /// Zone.
    pub zone: String,
    /// Row name; empty for an area.
    pub row: String,
    /// Seat number as printed; the name of an area.
    pub number: String,
    /// Grade.
    pub grade: String,
    /// Where it is drawn, when a plan says so.
    pub position: Option<Point>,
    /// Whether it is accessible by wheelchair.
    pub accessible: bool,
}

/// What kind of unit it is, and what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// A numbered seat, for one person.
    Seat {
        /// Stable identity, unique in the hall.
        guid: String,
    },
    /// General admission.
    Area {
        /// People it holds.
        capacity: u32,
    },
}

impl Unit {
    /// People the unit holds.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        match self.kind {
            UnitKind::Seat { .. } => 1,
            UnitKind::Area { capacity } => capacity,
        }
    }
}

impl HallLayout {
    /// Numbers every unit, or tells all that is wrong. Fields are those of CreateHall.
    pub fn units(&self) -> Result<Vec<Unit>, Findings> {
        units::number(self)
    }
}
