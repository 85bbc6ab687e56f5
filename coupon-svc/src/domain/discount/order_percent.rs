//! So many percent off the sum of the matching lines.

use super::{Discount, Stage, check_percent, percentage};

/// So many percent off the sum of the matching lines.
#[derive(Debug)]
pub(super) struct OrderPercent;

impl Discount for OrderPercent {
    fn name(&self) -> &'static str {
        "ORDER_PERCENT"
    }

    fn stage(&self) -> Stage {
        Stage::OrderPercent
    }

    fn check(&self, value: i64) -> Result<(), &'static str> {
        check_percent(value)
    }

    fn of(&self, value: i64, amount: i64, _quantity: u32) -> i64 {
        percentage(value, amount)
    }
}
