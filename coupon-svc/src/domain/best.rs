//! Which coupons to use for an order.
//!
//! A choice of coupons is a set. They take their turns by stage, campaign and coupon, each on what the ones before left of
//! the lines, so that a set has one result whichever order it was named in.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::order::Order;
use super::terms::Terms;

mod bound;
mod climb;
mod coupon;
mod picked;
mod quote;
mod rank;
mod reasons;
mod rules;
mod search;

use coupon::Coupon;
use picked::Picked;
use rank::Rank;

#[cfg(test)]
mod tests;

/// Coupons among which the search looks at every combination that may be the best: more than nearly anybody has for one order,
/// and few enough that it nearly always ends. Coupons that are used alone do not count, nor do coupons of one campaign on the
/// same terms but for one.
pub const EXACT_MAX: usize = 20;

/// A coupon that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Coupon; no two candidates have the same.
    pub coupon_id: Uuid,
    /// Campaign that it is of.
    pub campaign_id: Uuid,
    /// What it takes off.
    pub terms: Arc<Terms>,
    /// When it can be used for the first time.
    pub valid_from: DateTime<Utc>,
    /// When it can no longer be used.
    pub expire_time: DateTime<Utc>,
    /// What became of it so far.
    pub state: State,
}

/// What became of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Usable,
    /// Another order holds it.
    Reserved,
    /// It is gone with another order.
    Used,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// What an order costs with some coupons. Amounts are in minor units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Coupons of the set, in the order of their turns.
    pub applied: Vec<Applied>,
    /// Lines, as the order has them.
    pub lines: Vec<LineTotal>,
    /// What the order costs without coupons.
    pub subtotal: i64,
    /// What the coupons take off.
    pub discount: i64,
    /// What is left to pay.
    pub total: i64,
    /// The other candidates, as they were given.
    pub unused: Vec<Unused>,
    /// Whether no set of coupons can be better; `false`: the search did not look that far, not all of them are candidates, or somebody else
    /// chose.
    pub exact: bool,
}

/// What a coupon of the set takes off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Coupon.
    pub coupon_id: Uuid,
    /// Its campaign.
    pub campaign_id: Uuid,
    /// What it takes off.
    pub discount: i64,
    /// What of that the platform pays; the sellers pay the rest.
    pub platform_pays: i64,
    /// The discount by line, without lines that get nothing.
    pub allocations: Vec<Allocation>,
}

/// What a coupon takes off a line. Its places have no shares of it: a line is bought and given back whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Line.
    pub line_no: u32,
    /// What it takes off.
    pub amount: i64,
    /// What of that the platform pays.
    pub platform_pays: i64,
}

/// What a line costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTotal {
    /// Line.
    pub line_no: u32,
    /// What it costs without coupons.
    pub subtotal: i64,
    /// What the coupons take off.
    pub discount: i64,
    /// What is left to pay.
    pub total: i64,
}

/// A coupon that is not in the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Coupon.
    pub coupon_id: Uuid,
    /// Why it is not.
    pub reason: WhyNot,
}

/// Why a coupon is not in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// None of the candidates has this id.
    Unknown,
    /// It is too early.
    NotYetValid {
        /// When it can be used.
        from: DateTime<Utc>,
    },
    /// It is too late.
    Expired {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Another order holds it.
    Reserved,
    /// It is gone with another order.
    Used,
    /// It was taken back.
    Revoked,
    /// It is for orders in another currency.
    CurrencyMismatch,
    /// It is for none of the lines.
    NotEligible,
    /// What it is for costs too little when its turn comes.
    MinimumNotMet {
        /// What is missing, in minor units.
        missing: i64,
    },
    /// What it is for costs too much when its turn comes.
    MaximumExceeded {
        /// What is too much, in minor units.
        excess: i64,
    },
    /// Either it is used alone, or one of the set is.
    ExclusiveWith {
        /// What it cannot be used beside.
        coupon_ids: Vec<Uuid>,
    },
    /// Another coupon of its campaign is in the set.
    SameCampaign {
        /// That coupon.
        coupon_id: Uuid,
    },
    /// As many coupons of its group are in the set as can be.
    GroupFull {
        /// Name of the group.
        group: String,
        /// Those coupons.
        coupon_ids: Vec<Uuid>,
    },
    /// There is nothing left that it could take off.
    NoEffect,
    /// It could be added, but the result would not be better, as it would keep others from being used.
    NotBetter,
    /// It could be added, but whoever chose the set did not.
    NotChosen,
}

/// The best set of candidates for an order at a time.
///
/// That is the one with the largest discount; then the one whose coupons expire first, with as few of them as possible; then
/// the one that costs the platform least; then the one with the lowest ids.
#[must_use]
pub fn best(order: &Order, candidates: &[Candidate], now: DateTime<Utc>) -> Quote {
    let admitted = coupon::admit(order, candidates, now);
    let found = search::best(order, &admitted.coupons);
    let unused = reasons::beside(order, &found.picked, &admitted, &WhyNot::NotBetter);
    quote::of(order, &found.picked, candidates, unused, found.exact)
}

/// The set that somebody chose, all of it; fails with every coupon of it that does not fit.
pub fn apply(
    order: &Order,
    chosen: &BTreeSet<Uuid>,
    candidates: &[Candidate],
    now: DateTime<Utc>,
) -> Result<Quote, Vec<Unused>> {
    let admitted = coupon::admit(order, candidates, now);
    let picked = reasons::all_of(order, chosen, candidates, &admitted)?;
    let unused = reasons::beside(order, &picked, &admitted, &WhyNot::NotChosen);
    Ok(quote::of(order, &picked, candidates, unused, false))
}
