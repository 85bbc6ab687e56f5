//! Why coupons are not in a set.

use std::collections::BTreeSet;

use super::coupon::Admitted;
use super::coupon::running;
use super::rules::{self, Conflict};
use super::{Candidate, Coupon, Order, Picked, Unused, Uuid, WhyNot};

/// Why each of the other candidates is not in a set; `fits` of those that could just be added.
pub(super) fn beside<'a>(
    order: &Order,
    picked: &Picked<'a>,
    admitted: &'a Admitted<'a>,
    fits: &WhyNot,
) -> Vec<Unused> {
    let none = Picked::none(running(order));
    let is_picked = |coupon: &&Coupon<'_>| picked.coupons.iter().any(|one| one.id() == coupon.id());
    let others = admitted.coupons.iter().filter(|coupon| !is_picked(coupon));
    let others = others.map(|coupon| (coupon, why(&none, picked, coupon)));
    let short = admitted.short.iter();
    // Whatever else stands in its way, without it the minimum would not be met either.
    let short = short.map(|coupon| (coupon, at_turn(&none, picked, coupon).err()));
    let unused = others.chain(short).map(|(coupon, reason)| Unused {
        coupon_id: coupon.id(),
        reason: reason.unwrap_or_else(|| fits.clone()),
    });
    admitted.unused.iter().cloned().chain(unused).collect()
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
    let mut set = match at_turn(none, picked, coupon) {
        Ok(set) => set,
        Err(reason) => return Some(reason),
    };
    let mut after = picked.coupons.iter().filter(|one| !is_before(one, coupon));
    let after = after.try_for_each(|one| set.add(one).map(drop));
    after.err().map(|_| WhyNot::NotBetter)
}

/// What a set and a coupon come to when the turn of the coupon has come, which is alone if it is exclusive.
fn at_turn<'a>(
    none: &Picked<'a>,
    picked: &Picked<'a>,
    coupon: &'a Coupon<'a>,
) -> Result<Picked<'a>, WhyNot> {
    let mut set = none.clone();
    if !coupon.candidate.terms.exclusive {
        let mut before = picked.coupons.iter().filter(|one| is_before(one, coupon));
        before.try_for_each(|one| set.add(one).map(drop))?;
    }
    set.add(coupon)?;
    Ok(set)
}

fn is_before(one: &Coupon<'_>, other: &Coupon<'_>) -> bool {
    one.turn() < other.turn()
}

/// The set that somebody chose; fails with each coupon of it that does not fit beside those before it.
pub(super) fn all_of<'a>(
    order: &Order,
    chosen: &BTreeSet<Uuid>,
    candidates: &[Candidate],
    admitted: &'a Admitted<'a>,
) -> Result<Picked<'a>, Vec<Unused>> {
    let known: BTreeSet<_> = candidates.iter().map(|one| one.coupon_id).collect();
    let unknown = chosen.difference(&known).map(|&coupon_id| Unused {
        coupon_id,
        reason: WhyNot::Unknown,
    });
    let is_chosen = |coupon: &&Coupon<'_>| chosen.contains(&coupon.id());
    let never = admitted.unused.iter();
    let never = never.filter(|one| chosen.contains(&one.coupon_id));
    let mut misfits: Vec<_> = unknown.chain(never.cloned()).collect();

    let set: Vec<_> = admitted.coupons.iter().filter(is_chosen).collect();
    let none = Picked::none(running(order));
    let mut picked = none.clone();
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
    let short = admitted.short.iter().filter(is_chosen);
    misfits.extend(short.filter_map(|coupon| {
        Some(Unused {
            coupon_id: coupon.id(),
            reason: at_turn(&none, &picked, coupon).err()?,
        })
    }));
    if misfits.is_empty() {
        Ok(picked)
    } else {
        Err(misfits)
    }
}
