//! Looks for a good set one step at a time: when there are too many combinations to look at.

use super::search::Work;
use super::{Coupon, Picked, Rank, Reverse, rules};

/// Coupons that take as long to look at as one takes for its turn.
const TURN: usize = 6;

/// Adds, swaps and removes coupons while that makes the set better and there is work left.
pub(super) fn climb<'a>(
    none: &Picked<'a>,
    among: &[&'a Coupon<'a>],
    start: Picked<'a>,
    work: &mut Work,
) -> Picked<'a> {
    let mut among = among.to_vec();
    let value = |coupon: &&Coupon<'_>| coupon.value(&none.running, coupon.base(&none.running));
    among.sort_by_key(|coupon| Reverse(value(coupon)));
    let mut top = (start.rank(), start);
    loop {
        // a swap is looked for only where nothing can be added: there are many more of them
        let next = step(none, &among, &top, &[None], work);
        let next = next.or_else(|| {
            let out: Vec<_> = top.1.coupons.iter().copied().map(Some).collect();
            step(none, &among, &top, &out, work)
        });
        match next {
            Some(next) => top = next,
            None => return top.1,
        }
    }
}

/// The first set that is better than `top`, without one of `out` and with at most one more.
fn step<'a>(
    none: &Picked<'a>,
    among: &[&'a Coupon<'a>],
    (rank, picked): &(Rank, Picked<'a>),
    out: &[Option<&'a Coupon<'a>>],
    work: &mut Work,
) -> Option<(Rank, Picked<'a>)> {
    for &out in out {
        let stays = |one: &&Coupon<'_>| out.is_none_or(|out| out.id() != one.id());
        let kept: Vec<_> = picked.coupons.iter().copied().filter(stays).collect();
        let is_new = |one: &&Coupon<'_>| picked.coupons.iter().all(|other| other.id() != one.id());
        let others = among.iter().copied().filter(is_new);
        for more in others.map(Some).chain([None]) {
            if !work.is_left() {
                return None;
            }
            work.spend(TURN * kept.len(), none);
            let next = set(none, &kept, more).filter(|next| next.discount >= picked.discount);
            if let Some(next) = next.map(|next| (next.rank(), next))
                && next.0 < *rank
            {
                return Some(next);
            }
        }
    }
    None
}

/// The set of `kept` and one more, if there is such a set.
fn set<'a>(
    none: &Picked<'a>,
    kept: &[&'a Coupon<'a>],
    more: Option<&'a Coupon<'a>>,
) -> Option<Picked<'a>> {
    if more.is_some_and(|more| rules::conflict(kept, more).is_some()) {
        return None;
    }
    let mut coupons: Vec<_> = kept.iter().copied().chain(more).collect();
    coupons.sort_unstable_by_key(|coupon| coupon.turn());
    let mut set = none.clone();
    for coupon in coupons {
        set.add(coupon).ok()?;
    }
    Some(set)
}
