//! What a hold costs with coupons. coupon-svc says what each takes off; here it is held against the lines, frozen and added up.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mesh::money::Money;
use thiserror::Error;
use uuid::Uuid;

use super::hold::UnitKey;

/// Most coupons that a buyer can choose: as many as coupon-svc looks at.
pub const COUPONS_MAX: usize = 100;

/// Which coupons a buyer wants to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CouponChoice {
    /// None.
    #[default]
    None,
    /// These, all of them.
    Chosen(BTreeSet<Uuid>),
    /// The best combination of those that the buyer has.
    Best,
}

/// A line of a hold as coupons look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Number that the line has in the booking.
    pub line_no: i32,
    /// Seller of the show.
    pub seller_id: Uuid,
    /// Show.
    pub show_id: Uuid,
    /// Performance.
    pub performance_id: Uuid,
    /// Category of the show.
    pub category: String,
    /// Day of the performance in the time zone of its venue, 1 (Monday) to 7 (ISO 8601).
    pub weekday: i32,
    /// Unit.
    pub unit: UnitKey,
    /// Grade.
    pub grade: String,
    /// Places.
    pub quantity: i32,
    /// Price of one place.
    pub unit_price: Money,
}

impl OrderLine {
    /// What it costs without coupons, in minor units.
    #[must_use]
    pub fn price(&self) -> i64 {
        self.unit_price
            .minor_units
            .saturating_mul(i64::from(self.quantity))
    }
}

/// What a coupon takes off a line, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Line.
    pub line_no: i32,
    /// What it takes off.
    pub amount: i64,
    /// What of that the platform pays; the seller pays the rest.
    pub platform_amount: i64,
}

/// What a coupon takes off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discount {
    /// Coupon.
    pub coupon_id: Uuid,
    /// Its campaign.
    pub campaign_id: Uuid,
    /// By line, without lines that get nothing.
    pub parts: Vec<Part>,
}

impl Discount {
    /// What it takes off, in minor units.
    #[must_use]
    pub fn amount(&self) -> i64 {
        self.parts.iter().map(|part| part.amount).sum()
    }
}

/// What all of them take off, in minor units.
#[must_use]
pub fn total(discounts: &[Discount]) -> i64 {
    discounts.iter().map(Discount::amount).sum()
}

/// What all of them take off a line, and what of that the platform pays, in minor units.
#[must_use]
pub fn of_line(discounts: &[Discount], line_no: i32) -> (i64, i64) {
    let parts = discounts.iter().flat_map(|discount| &discount.parts);
    let parts = parts.filter(|part| part.line_no == line_no);
    parts.fold((0, 0), |(amount, platform), part| {
        (amount + part.amount, platform + part.platform_amount)
    })
}

/// What place `seq` (from 0) of a line with `quantity` places gets of what is taken off the line: the first places get what does not divide.
#[must_use]
pub fn place_share(amount: i64, quantity: i64, seq: i64) -> i64 {
    let quantity = quantity.max(1);
    amount / quantity + i64::from(seq < amount % quantity)
}

/// Discounts that do not fit the lines they were asked for: a fault of whoever made them.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Misfit {
    /// A part is not between 1 and what its line costs, or the platform pays more than it.
    #[error("coupon {0} takes {2} off line {1}")]
    Amount(Uuid, i32, i64),
    /// All of them take more off a line than it costs.
    #[error("the coupons take more off line {0} than it costs")]
    Line(i32),
    /// A coupon is named twice, or takes off nothing.
    #[error("coupon {0} is named twice, or for nothing")]
    Coupon(Uuid),
}

/// Holds discounts against lines before anybody pays by them.
pub fn check(lines: &[OrderLine], discounts: &[Discount]) -> Result<(), Misfit> {
    let mut left: BTreeMap<i32, i64> = lines
        .iter()
        .map(|line| (line.line_no, line.price()))
        .collect();
    let mut seen = BTreeSet::new();
    for discount in discounts {
        let parts: BTreeSet<i32> = discount.parts.iter().map(|part| part.line_no).collect();
        let once = parts.len() == discount.parts.len();
        if discount.parts.is_empty() || !once || !seen.insert(discount.coupon_id) {
            return Err(Misfit::Coupon(discount.coupon_id));
        }
        for part in &discount.parts {
            let misfit = Misfit::Amount(discount.coupon_id, part.line_no, part.amount);
            let left = left.get_mut(&part.line_no).ok_or(misfit)?;
            if part.amount < 1 || !(0..=part.amount).contains(&part.platform_amount) {
                return Err(misfit);
            }
            *left = left
                .checked_sub(part.amount)
                .filter(|left| *left >= 0)
                .ok_or(Misfit::Line(part.line_no))?;
        }
    }
    Ok(())
}

/// A chosen coupon that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Coupon.
    pub coupon_id: String,
    /// Why, a name of usher.coupon.v1.WhyNotUsed.
    pub kind: String,
    /// The same for people.
    pub description: String,
}

/// Chosen coupons that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUsable {
    /// As many as coupon-svc named.
    pub coupons: Vec<Unusable>,
    /// How many more there are.
    pub unlisted: usize,
}

/// A coupon that a hold is quoted without, as coupon-svc told it. It is handed on, not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Coupon.
    pub coupon_id: String,
    /// Why, a number of usher.coupon.v1.WhyNotUsed.
    pub reason: i32,
    /// Minor units that are missing, or too much.
    pub amount: i64,
    /// From or until when it can be used.
    pub time: Option<DateTime<Utc>>,
    /// Coupons that stand in its way.
    pub coupon_ids: Vec<String>,
    /// Group that is full.
    pub group: String,
}

/// What coupon-svc quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CouponQuote {
    /// What each coupon takes off, in the order in which they are counted.
    pub discounts: Vec<Discount>,
    /// The others.
    pub unused: Vec<Unused>,
    /// Whether no combination is better.
    pub exact: bool,
}

/// What a hold costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Hold.
    pub hold_id: Uuid,
    /// Its lines.
    pub lines: Vec<OrderLine>,
    /// What they cost without coupons.
    pub subtotal: Money,
    /// What is left to pay.
    pub total: Money,
    /// The coupons.
    pub coupons: CouponQuote,
}

#[cfg(test)]
mod tests;
