//! So many percent off each matching line.

use super::{Discount, Stage, check_percent, percentage};

/// So many percent off each matching line.
#[derive(Debug)]
pub(super) struct LinePercent;

impl Discount for LinePercent {
    fn name(&self) -> &'static str {
        "LINE_PERCENT"
    }

    fn stage(&self) -> Stage {
        Stage::LinePercent
    }

    fn check(&self, value: i64) -> Result<(), &'static str> {
        check_percent(value)
    }

    fn of(&self, value: i64, amount: i64, _quantity: u32) -> i64 {
        percentage(value, amount)
    }
}
