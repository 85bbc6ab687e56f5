//! What an order costs with a set.

use std::collections::BTreeMap;

use super::coupon::running;
use super::{Allocation, Applied, Candidate, Coupon, LineTotal, Order, Picked, Quote, Unused};
use crate::domain::discount::split::{Weight, split};

/// The quote of a set. Reasons are sorted as the candidates were given.
pub(super) fn of(
    order: &Order,
    picked: &Picked<'_>,
    candidates: &[Candidate],
    mut unused: Vec<Unused>,
    exact: bool,
) -> Quote {
    let places = candidates.iter().zip(0_usize..);
    let places: BTreeMap<_, _> = places.map(|(one, place)| (one.coupon_id, place)).collect();
    unused.sort_by_key(|one| places.get(&one.coupon_id).copied());
    let left = picked.running.iter();
    let lines = order.lines.iter().zip(left).map(|(line, left)| LineTotal {
        line_no: line.line_no,
        subtotal: line.price(),
        discount: line.price() - left.amount,
        total: left.amount,
    });
    Quote {
        applied: applied(order, picked),
        lines: lines.collect(),
        subtotal: order.subtotal(),
        discount: picked.discount,
        total: picked.left(),
        unused,
        exact,
    }
}

/// Takes the turns of a set again, to tell what each takes off which line.
fn applied(order: &Order, picked: &Picked<'_>) -> Vec<Applied> {
    let mut again = Picked::none(running(order));
    let mut applied = Vec::with_capacity(picked.coupons.len());
    for coupon in &picked.coupons {
        let parts = again.add(coupon).unwrap_or_default();
        applied.push(of_coupon(order, coupon, &parts));
    }
    applied
}

fn of_coupon(order: &Order, coupon: &Coupon<'_>, parts: &[i64]) -> Applied {
    let lines = order.lines.iter().zip(parts).filter(|(_, part)| **part > 0);
    let weights: Vec<_> = lines
        .map(|(line, &weight)| Weight {
            line_no: line.line_no,
            weight,
        })
        .collect();
    let discount = weights.iter().map(|line| line.weight).sum();
    let platform_pays = coupon.platform_pays(discount);
    let paid = split(platform_pays, &weights);
    let allocation = |(line, platform_pays): (&Weight, i64)| Allocation {
        line_no: line.line_no,
        amount: line.weight,
        platform_pays,
    };
    Applied {
        coupon_id: coupon.id(),
        campaign_id: coupon.candidate.campaign_id,
        discount,
        platform_pays,
        allocations: weights.iter().zip(paid).map(allocation).collect(),
    }
}
