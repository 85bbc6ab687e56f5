//! Kinds of discounts. A new kind is a file of its own and a line in [`KINDS`].

use std::fmt;

mod line_fixed;
mod line_percent;
mod order_fixed;
mod order_percent;
pub mod split;

#[cfg(test)]
mod tests;

/// Every kind.
pub const KINDS: &[&dyn Discount] = &[
    &line_percent::LinePercent,
    &line_fixed::LineFixed,
    &order_percent::OrderPercent,
    &order_fixed::OrderFixed,
];

/// The kind of a name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Discount> {
    KINDS.iter().find(|kind| kind.name() == name).copied()
}

/// A way to take something off an order.
pub trait Discount: Sync {
    /// What campaigns call it.
    fn name(&self) -> &'static str;

    /// When its turn comes.
    fn stage(&self) -> Stage;

    /// Whether a campaign can have this value; fails with what would be right.
    fn check(&self, value: i64) -> Result<(), &'static str>;

    /// What it takes off `amount` minor units of `quantity` places, before any cap: from 0 to the amount.
    ///
    /// The search for the best coupons relies on two things when the amount grows: neither the discount nor what is left
    /// ever falls, and the share of the amount that is taken off never rises by more than rounding.
    fn of(&self, value: i64, amount: i64, quantity: u32) -> i64;
}

impl fmt::Debug for dyn Discount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Order in which kinds work on what is left of the prices; fees and points would follow at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A share of each line.
    LinePercent,
    /// An amount for each place.
    LineFixed,
    /// A share of the sum.
    OrderPercent,
    /// An amount of the sum.
    OrderFixed,
}

impl Stage {
    /// What its kinds are computed from. Stages of lines come before stages of the sum.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::LinePercent | Self::LineFixed => Scope::Line,
            Self::OrderPercent | Self::OrderFixed => Scope::Sum,
        }
    }
}

/// What a discount is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each matching line by itself.
    Line,
    /// The sum of the matching lines; the discount is divided among them as their amounts are.
    Sum,
}

/// `percent` of an amount, rounded down.
fn percentage(percent: i64, amount: i64) -> i64 {
    (percent.saturating_mul(amount) / 100).min(amount)
}

fn check_percent(value: i64) -> Result<(), &'static str> {
    if (1..=100).contains(&value) {
        Ok(())
    } else {
        Err("give a percentage from 1 to 100")
    }
}

fn check_amount(value: i64) -> Result<(), &'static str> {
    if value >= 1 {
        Ok(())
    } else {
        Err("give an amount of at least 1 minor unit")
    }
}
