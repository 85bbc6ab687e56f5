//! A candidate that may be used: what it is for, and what it takes off when its turn comes.

use std::collections::BTreeMap;

use super::{Candidate, DateTime, Order, State, Unused, Utc, Uuid, WhyNot};
use crate::domain::discount::split::{Weight, split};
use crate::domain::discount::{Discount, Scope, Stage, kind};
use crate::domain::order::Line;
use crate::domain::terms::BASIS_POINTS;

/// What is left to pay of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) line_no: u32,
    pub(super) amount: i64,
}

/// The lines of an order before any coupon.
pub(super) fn running(order: &Order) -> Vec<Running> {
    let running = |line: &Line| Running {
        line_no: line.line_no,
        amount: line.price(),
    };
    order.lines.iter().map(running).collect()
}

/// A candidate that may be used.
#[derive(Debug)]
pub(super) struct Coupon<'a> {
    pub(super) candidate: &'a Candidate,
    kind: &'static dyn Discount,
    pub(super) scope: Scope,
    /// Places of each line that it is for; 0 for the other lines.
    places: Vec<u32>,
    all_places: u32,
    /// Number of its group among those of the candidates, and its limit.
    pub(super) group: Option<(usize, u32)>,
}

/// Candidates, by whether they may be used for an order.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    /// Those that may be, in the order of their turns.
    pub(super) coupons: Vec<Coupon<'a>>,
    /// Those whose minimum even the whole order does not reach, in the order of their turns: what they are short of depends on the set.
    pub(super) short: Vec<Coupon<'a>>,
    /// Why the others never can be.
    pub(super) unused: Vec<Unused>,
}

/// Looks which candidates may be used.
pub(super) fn admit<'a>(
    order: &Order,
    candidates: &'a [Candidate],
    now: DateTime<Utc>,
) -> Admitted<'a> {
    let (mut coupons, mut short, mut unused) = (Vec::new(), Vec::new(), Vec::new());
    let whole = running(order);
    let mut groups = BTreeMap::new();
    for candidate in candidates {
        match Coupon::of(order, candidate, now) {
            Ok(coupon) if coupon.is_short(&whole) => short.push(coupon),
            Ok(mut coupon) => {
                coupon.group = candidate.terms.group.as_ref().map(|group| {
                    let next = groups.len();
                    // Whoever picks a name does not know which names others picked.
                    let key = (candidate.terms.seller_id, &group.name);
                    (*groups.entry(key).or_insert(next), group.most)
                });
                coupons.push(coupon);
            }
            Err(reason) => unused.push(Unused {
                coupon_id: candidate.coupon_id,
                reason,
            }),
        }
    }
    coupons.sort_unstable_by_key(Coupon::turn);
    short.sort_unstable_by_key(Coupon::turn);
    Admitted {
        coupons,
        short,
        unused,
    }
}

/// What of its state and time keeps a candidate from being used.
fn blocked(candidate: &Candidate, now: DateTime<Utc>) -> Option<WhyNot> {
    let (from, at) = (candidate.valid_from, candidate.expire_time);
    match candidate.state {
        State::Reserved => Some(WhyNot::Reserved),
        State::Used => Some(WhyNot::Used),
        State::Revoked => Some(WhyNot::Revoked),
        State::Expired => Some(WhyNot::Expired { at }),
        State::Usable if at <= now => Some(WhyNot::Expired { at }),
        State::Usable if now < from => Some(WhyNot::NotYetValid { from }),
        State::Usable => None,
    }
}

impl<'a> Coupon<'a> {
    fn of(order: &Order, candidate: &'a Candidate, now: DateTime<Utc>) -> Result<Self, WhyNot> {
        if let Some(reason) = blocked(candidate, now) {
            return Err(reason);
        }
        let terms = &candidate.terms;
        if terms.currency != order.currency {
            return Err(WhyNot::CurrencyMismatch);
        }
        let of_line = |line: &Line| {
            if terms.matches(line) {
                line.quantity
            } else {
                0
            }
        };
        let places: Vec<_> = order.lines.iter().map(of_line).collect();
        let kind = kind(terms.kind).ok_or(WhyNot::NoEffect)?;
        let coupon = Self {
            candidate,
            kind,
            scope: kind.stage().scope(),
            all_places: places.iter().sum(),
            places,
            group: None,
        };
        if coupon.all_places == 0 {
            return Err(WhyNot::NotEligible);
        }
        match coupon.discount(&running(order)) {
            // what comes before it may take the excess away, or make what is missing more
            Err(WhyNot::MaximumExceeded { .. } | WhyNot::MinimumNotMet { .. }) | Ok(_) => {
                Ok(coupon)
            }
            Err(reason) => Err(reason),
        }
    }

    pub(super) fn id(&self) -> Uuid {
        self.candidate.coupon_id
    }

    pub(super) fn expire_time(&self) -> DateTime<Utc> {
        self.candidate.expire_time
    }

    pub(super) fn turn(&self) -> (Stage, Uuid, Uuid) {
        let candidate = self.candidate;
        (
            self.kind.stage(),
            candidate.campaign_id,
            candidate.coupon_id,
        )
    }

    /// Lines that it is for: amount and places.
    fn lines<'s>(&'s self, running: &'s [Running]) -> impl Iterator<Item = (Running, u32)> + 's {
        let lines = running.iter().copied().zip(self.places.iter().copied());
        lines.filter(|(_, places)| *places > 0)
    }

    /// What the lines cost that it is for.
    pub(super) fn base(&self, running: &[Running]) -> i64 {
        self.lines(running).map(|(line, _)| line.amount).sum()
    }

    /// What its kind says of an amount, whatever its cap.
    fn of_amount(&self, amount: i64, places: u32) -> i64 {
        self.kind.of(self.candidate.terms.value, amount, places)
    }

    /// What it takes off when the sum of its lines is `base`, for kinds that look at the sum.
    pub(super) fn of_sum(&self, base: i64) -> i64 {
        self.of_amount(base, self.all_places)
    }

    /// Takes off each of its lines the most that it can get, whatever its bounds; not if that is more than `most` in all.
    ///
    /// Of a discount of the sum that is its part of the line alone, and one for rounding.
    pub(super) fn take_by_line(&self, most: i64, running: &mut [Running]) -> bool {
        let rounding = i64::from(self.scope == Scope::Sum);
        let part = |(line, places): (Running, u32)| {
            let part = self.of_amount(line.amount, places) + rounding;
            part.min(line.amount)
        };
        let lines = self.lines(running);
        let (sum, most) = lines.fold((0, most), |(sum, most), line| {
            (sum + part(line), most + rounding)
        });
        if sum > most {
            return false;
        }
        for (line, &places) in running.iter_mut().zip(&self.places) {
            if places > 0 {
                line.amount -= part((*line, places));
            }
        }
        true
    }

    /// What it takes off lines that cost `base`, whatever its bounds.
    pub(super) fn value(&self, running: &[Running], base: i64) -> i64 {
        let of_line = |(line, places): (Running, u32)| self.of_amount(line.amount, places);
        let free = match self.scope {
            Scope::Line => self.lines(running).map(of_line).sum(),
            Scope::Sum => self.of_sum(base),
        };
        let cap = self.candidate.terms.max_discount;
        cap.map_or(free, |cap| cap.min(free))
    }

    /// Whether what it is for costs too little. It will later, too, as amounts only fall.
    fn is_short(&self, running: &[Running]) -> bool {
        self.base(running) < self.candidate.terms.min_order
    }

    /// What it takes off now that its turn has come.
    pub(super) fn discount(&self, running: &[Running]) -> Result<i64, WhyNot> {
        let (terms, base) = (&self.candidate.terms, self.base(running));
        if base < terms.min_order {
            let missing = terms.min_order - base;
            return Err(WhyNot::MinimumNotMet { missing });
        }
        if let Some(excess) = terms.max_order.map(|most| base - most).filter(|&by| by > 0) {
            return Err(WhyNot::MaximumExceeded { excess });
        }
        let discount = self.value(running, base);
        if discount > 0 {
            Ok(discount)
        } else {
            Err(WhyNot::NoEffect)
        }
    }

    /// Takes `discount` off its lines. Answers the part of each line of the order.
    pub(super) fn take(&self, discount: i64, running: &mut [Running]) -> Vec<i64> {
        let weight = |line: &Running, places| match (places, self.scope) {
            (0, _) => 0,
            (_, Scope::Line) => self.of_amount(line.amount, places),
            (_, Scope::Sum) => line.amount,
        };
        let weight = |(line, places): (&Running, &u32)| Weight {
            line_no: line.line_no,
            weight: weight(line, *places),
        };
        let weights: Vec<_> = running.iter().zip(&self.places).map(weight).collect();
        let parts = split(discount, &weights);
        for (line, part) in running.iter_mut().zip(&parts) {
            line.amount -= part;
        }
        parts
    }

    /// What the platform pays of a discount.
    pub(super) fn platform_pays(&self, discount: i64) -> i64 {
        let share = i128::from(discount) * i128::from(self.candidate.terms.platform_share);
        let pays = share / i128::from(BASIS_POINTS);
        i64::try_from(pays).unwrap_or(discount)
    }
}
