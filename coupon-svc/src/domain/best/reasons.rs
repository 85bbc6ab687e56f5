//! Why coupons are not in a set.

use std::collections::BTreeSet;

use super::coupon::running;
use super::rules::{self, Conflict};
use super::{Candidate, Coupon, Order, Picked, Unused, Uuid, WhyNot};

/// Why each of the other coupons is not in a set; `fits` of those that could just be added.
pub(super) fn beside<'a>(
    order: &Order,
    picked: &Picked<'a>,
    coupons: &'a [Coupon<'a>],
    fits: &WhyNot,
) -> Vec<Unused> {
    let none = Picked::none(running(order));
    let is_picked = |coupon: &&Coupon<'_>| picked.coupons.iter().any(|one| one.id() == coupon.id());
    let others = coupons.iter().filter(|coupon| !is_picked(coupon));
    let unused = others.map(|coupon| Unused {
        coupon_id: coupon.id(),
        reason: why(&none, picked, coupon).unwrap_or_else(|| fits.clone()),
    });
    unused.collect()
}

/// Why a coupon is not in a set; `None` when it could be added.
fn why<'a>(none: &Picked<'a>, picked: &Picked<'a>, coupon: &'a Coupon<'a>) -> Option<WhyNot> {
    if coupon.candidate.terms.exclusive
        && let Err(reason) = none.clone().add(coupon)
    {
        return Some(reason); // not even alone
    }
    if let Some(conflict) = rules::conflict(&picked.coupons, coupon) {
        return Some(conflict.reason(&picked.coupons, coupon));
    }
    let (before, after): (Vec<&Coupon<'_>>, Vec<_>) = picked
        .coupons
        .iter()
        .partition(|one| one.turn() < coupon.turn());
    let mut set = none.clone();
    let before = before
        .into_iter()
        .try_for_each(|one| set.add(one).map(drop));
    if let Err(reason) = before.and_then(|()| set.add(coupon).map(drop)) {
        return Some(reason);
    }
    let after = after.into_iter().try_for_each(|one| set.add(one).map(drop));
    after.err().map(|_| WhyNot::NotBetter)
}

/// The set that somebody chose; fails with each coupon of it that does not fit beside those before it.
pub(super) fn all_of<'a>(
    order: &Order,
    chosen: &BTreeSet<Uuid>,
    candidates: &[Candidate],
    coupons: &'a [Coupon<'a>],
    unused: &[Unused],
) -> Result<Picked<'a>, Vec<Unused>> {
    let known: BTreeSet<_> = candidates.iter().map(|one| one.coupon_id).collect();
    let unknown = chosen.difference(&known).map(|&coupon_id| Unused {
        coupon_id,
        reason: WhyNot::Unknown,
    });
    let never = unused.iter().filter(|one| chosen.contains(&one.coupon_id));
    let mut misfits: Vec<_> = unknown.chain(never.cloned()).collect();

    let set: Vec<_> = coupons
        .iter()
        .filter(|one| chosen.contains(&one.id()))
        .collect();
    let mut picked = Picked::none(running(order));
    for &coupon in &set {
        let others = set.iter().copied().filter(|one| one.id() != coupon.id());
        let others: Vec<_> = others.collect();
        let fits = if coupon.candidate.terms.exclusive && !others.is_empty() {
            Err(Conflict::Exclusive.reason(&others, coupon))
        } else if let Some(conflict) = rules::conflict(&picked.coupons, coupon) {
            Err(conflict.reason(&picked.coupons, coupon))
        } else {
            picked.add(coupon).map(drop)
        };
        misfits.extend(fits.err().map(|reason| Unused {
            coupon_id: coupon.id(),
            reason,
        }));
    }
    if misfits.is_empty() {
        Ok(picked)
    } else {
        Err(misfits)
    }
}
