//! Looks for the best set: every combination that may be it, as far as the work allowed goes.

use super::bound::Options;
use super::climb::climb;
use super::coupon::running;
use super::{Coupon, EXACT_MAX, Order, Picked, Rank};

/// Lines looked at before the search gives up, and as many again for what it does instead: 20 coupons then take less than
/// 5 ms in 99 of 100 cases, and all but few of the searches end.
const WORK: u64 = 2_000_000;

/// Lines that take as long as what a coupon takes whatever the lines.
const LINES_OF_A_COUPON: usize = 8;

/// The best set that was found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) picked: Picked<'a>,
    /// Whether there is no better one.
    pub(super) exact: bool,
}

/// The best set of coupons, which are in the order of their turns.
pub(super) fn best<'a>(order: &Order, coupons: &'a [Coupon<'a>]) -> Found<'a> {
    let none = Picked::none(running(order));
    let mut best = Best::of(none.clone());
    let coupons = without_twins(coupons);
    let (alone, together): (Vec<_>, Vec<_>) = coupons
        .into_iter()
        .partition(|coupon| coupon.candidate.terms.exclusive);
    let mut work = Work(WORK);
    let exact = together.len() <= EXACT_MAX && {
        explore(&none, &together, &mut best, &mut work);
        work.is_left()
    };
    if !exact {
        let start = best.picked.clone();
        best.offer(&climb(&none, &together, start, &mut Work(WORK)));
    }
    for coupon in alone {
        let mut picked = none.clone();
        if picked.add(coupon).is_ok() {
            best.offer(&picked);
        }
    }
    let picked = best.picked;
    Found { picked, exact }
}

/// Of coupons of one campaign on the same terms only the best one can be in the best set: the first to expire.
fn without_twins<'a>(coupons: &'a [Coupon<'a>]) -> Vec<&'a Coupon<'a>> {
    let twins = |one: &Coupon<'_>, other: &Coupon<'_>| {
        let (one, other) = (one.candidate, other.candidate);
        one.campaign_id == other.campaign_id && one.terms == other.terms
    };
    let before = |coupon: &Coupon<'_>| (coupon.expire_time(), coupon.id());
    let is_best = |coupon: &&Coupon<'_>| {
        let mut others = coupons.iter().filter(|other| twins(coupon, other));
        others.all(|other| before(coupon) <= before(other))
    };
    coupons.iter().filter(is_best).collect()
}

/// Work that is left to do, in lines looked at: bounds the time without a clock, so that the answer is always the same.
#[derive(Debug)]
pub(super) struct Work(u64);

impl Work {
    /// Accounts for `coupons` that look at every line.
    pub(super) fn spend(&mut self, coupons: usize, picked: &Picked<'_>) {
        let lines = (coupons + 1) * (picked.running.len() + LINES_OF_A_COUPON);
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.0 = self.0.saturating_sub(lines);
    }

    pub(super) fn is_left(&self) -> bool {
        self.0 > 0
    }
}

/// The best set so far.
#[derive(Debug)]
struct Best<'a> {
    picked: Picked<'a>,
    rank: Rank,
}

impl<'a> Best<'a> {
    fn of(picked: Picked<'a>) -> Self {
        let rank = picked.rank();
        Self { picked, rank }
    }

    fn offer(&mut self, picked: &Picked<'a>) {
        if picked.discount >= self.picked.discount {
            let rank = picked.rank();
            if rank < self.rank {
                *self = Self {
                    picked: picked.clone(),
                    rank,
                };
            }
        }
    }
}

/// Every set of `picked` and at least one of `coupons` that may be better than the best.
fn explore<'a>(
    picked: &Picked<'a>,
    coupons: &[&'a Coupon<'a>],
    best: &mut Best<'a>,
    work: &mut Work,
) {
    let options = Options::of(picked, coupons.iter().copied());
    work.spend(2 * options.open.len(), picked);
    for (position, option) in options.open.iter().enumerate() {
        if !work.is_left() || !options.may_beat(picked, position, &best.rank, work) {
            return;
        }
        let mut next = picked.clone();
        if next.add(option.coupon).is_ok() {
            best.offer(&next);
            let later = options.open.iter().skip(position + 1);
            let later: Vec<_> = later.map(|open| open.coupon).collect();
            explore(&next, &later, best, work);
        }
    }
}
