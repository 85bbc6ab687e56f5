//! So many minor units off the sum of the matching lines.

use super::{Discount, Stage, check_amount};

/// So many minor units off the sum of the matching lines.
#[derive(Debug)]
pub(super) struct OrderFixed;

impl Discount for OrderFixed {
    fn name(&self) -> &'static str {
        "ORDER_FIXED"
    }

    fn stage(&self) -> Stage {
        Stage::OrderFixed
    }

    fn check(&self, value: i64) -> Result<(), &'static str> {
        check_amount(value)
    }

    fn of(&self, value: i64, amount: i64, _quantity: u32) -> i64 {
        value.min(amount)
    }
}
