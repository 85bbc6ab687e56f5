//! Counts by zone and grade.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Unit, UnitKind};

/// How many units of one zone and grade there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradeCount {
    /// Zone.
    pub zone: String,
    /// Grade.
    pub grade: String,
    /// Numbered seats.
    pub seats: u64,
    /// Places in areas.
    pub places: u64,
}

/// Counts in the order in which zone and grade first came.
#[derive(Clone, Debug, Default)]
pub struct GradeCounts {
    list: Vec<GradeCount>,
    index: HashMap<String, HashMap<String, usize>>,
}

impl GradeCounts {
    /// Counts the units of a hall.
    #[must_use]
    pub fn of(units: &[Unit]) -> Self {
        let mut counts = Self::default();
        for unit in units {
            match unit.kind {
                UnitKind::Seat { .. } => counts.add_seat(&unit.zone, &unit.grade),
                UnitKind::Area { capacity } => {
                    counts.entry(&unit.zone, &unit.grade).places += u64::from(capacity);
                }
            }
        }
        counts
    }

    /// Counts one seat.
    pub fn add_seat(&mut self, zone: &str, grade: &str) {
        self.entry(zone, grade).seats += 1;
    }

    /// The counts.
    #[must_use]
    pub fn into_list(self) -> Vec<GradeCount> {
        self.list
    }

    fn entry(&mut self, zone: &str, grade: &str) -> &mut GradeCount {
        let known = self.index.get(zone).and_then(|grades| grades.get(grade));
        let index = known.copied().unwrap_or_else(|| {
            let grades = self.index.entry(zone.to_owned()).or_default();
            grades.insert(grade.to_owned(), self.list.len());
            self.list.push(GradeCount {
                zone: zone.to_owned(),
                grade: grade.to_owned(),
                seats: 0,
                places: 0,
            });
            self.list.len() - 1
        });
        &mut self.list[index]
    }
}
