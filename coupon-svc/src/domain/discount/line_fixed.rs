//! So many minor units off each place of the matching lines.

use super::{Discount, Stage, check_amount};

/// So many minor units off each place of the matching lines.
#[derive(Debug)]
pub(super) struct LineFixed;

impl Discount for LineFixed {
    fn name(&self) -> &'static str {
        "LINE_FIXED"
    }

    fn stage(&self) -> Stage {
        Stage::LineFixed
    }

    fn check(&self, value: i64) -> Result<(), &'static str> {
        check_amount(value)
    }

    fn of(&self, value: i64, amount: i64, quantity: u32) -> i64 {
        value.saturating_mul(i64::from(quantity)).min(amount)
    }
}
