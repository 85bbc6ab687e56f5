//! What sets take off, worked out by hand.

use super::samples::*;
use super::*;

/// What each coupon of a set takes off each line.
fn taken(order: &Order, set: &[Candidate]) -> Vec<(u32, Vec<(u32, i64)>)> {
    let chosen = set.iter().map(|one| one.coupon_id).collect();
    let quote = apply(order, &chosen, set, at(0)).unwrap();
    let number = |id: Uuid| u32::try_from(id.as_u128()).unwrap();
    let parts = |one: &Applied| {
        one.allocations
            .iter()
            .map(|part| (part.line_no, part.amount))
            .collect()
    };
    quote
        .applied
        .iter()
        .map(|one| (number(one.coupon_id), parts(one)))
        .collect()
}

fn with(kind: &'static str, value: i64, change: impl FnOnce(&mut Terms)) -> Terms {
    let mut terms = terms(kind, value);
    change(&mut terms);
    terms
}

#[test]
fn every_stage_works_on_what_the_one_before_left() {
    let order = order(&[(2, 10_000), (1, 5_555)]);
    let set = [
        coupon(1, terms("ORDER_FIXED", 1_000)),
        coupon(2, terms("ORDER_PERCENT", 10)),
        coupon(3, terms("LINE_FIXED", 500)),
        coupon(4, terms("LINE_PERCENT", 15)),
    ];
    // 20000 and 5555; less 15 %: 17000 and 4722; less 500 a place: 16000 and 4222
    // 10 % of 20222 is 2022: 1599.8 and 422.2 of the lines; 14400 and 3800 are left, of which 1000 are 791.2 and 208.8
    assert_eq!(
        taken(&order, &set),
        [
            (4, vec![(1, 3_000), (2, 833)]),
            (3, vec![(1, 1_000), (2, 500)]),
            (2, vec![(1, 1_600), (2, 422)]),
            (1, vec![(1, 791), (2, 209)]),
        ]
    );
}

#[test]
fn campaigns_take_turns_within_a_stage() {
    let order = order(&[(1, 1_000)]);
    let of = |number, campaign, percent| Candidate {
        campaign_id: id(campaign),
        ..coupon(number, terms("LINE_PERCENT", percent))
    };
    let set = [of(1, 9, 50), of(2, 8, 33)];
    assert_eq!(
        taken(&order, &set),
        [(2, vec![(1, 330)]), (1, vec![(1, 335)])]
    );
}

#[test]
fn caps_are_divided_by_what_lines_would_have_got() {
    let order = order(&[(1, 1_000), (2, 1_000), (1, 333)]);
    let capped = |kind| with(kind, 10, |terms| terms.max_discount = Some(100));
    // of 100, 200 and 33: 30.03, 60.06 and 9.91
    let parts = vec![(1, 30), (2, 60), (3, 10)];
    assert_eq!(
        taken(&order, &[coupon(1, capped("LINE_PERCENT"))]),
        [(1, parts.clone())]
    );
    assert_eq!(
        taken(&order, &[coupon(1, capped("ORDER_PERCENT"))]),
        [(1, parts)]
    );
    let capped = with("LINE_FIXED", 50, |terms| terms.max_discount = Some(3));
    assert_eq!(
        taken(&order, &[coupon(1, capped)]),
        [(1, vec![(1, 1), (2, 1), (3, 1)])]
    );
}

#[test]
fn coupons_see_only_the_lines_they_are_for() {
    let order = order(&[(1, 1_000), (1, 2_000), (1, 4_000)]);
    let of_shows = with("ORDER_FIXED", 300, |terms| terms.target = shows(&[1, 2]));
    assert_eq!(
        taken(&order, &[coupon(1, of_shows)]),
        [(1, vec![(1, 100), (2, 200)])]
    );
    let of_seller = with("ORDER_PERCENT", 10, |terms| terms.seller_id = Some(id(3)));
    assert_eq!(
        taken(&order, &[coupon(1, of_seller)]),
        [(1, vec![(3, 400)])]
    );
    let too_much = with("LINE_FIXED", 1_500, |terms| terms.target = shows(&[1, 2]));
    assert_eq!(
        taken(&order, &[coupon(1, too_much)]),
        [(1, vec![(1, 1_000), (2, 1_500)])]
    );
}

#[test]
fn nothing_is_taken_off_twice() {
    let order = order(&[(1, 1_000)]);
    let set = [
        coupon(1, terms("LINE_PERCENT", 90)),
        coupon(2, terms("ORDER_FIXED", 1_000)),
    ];
    assert_eq!(
        taken(&order, &set),
        [(1, vec![(1, 900)]), (2, vec![(1, 100)])]
    );
    let quote = best_of(&order, &set);
    assert_eq!(
        (quote.subtotal, quote.discount, quote.total),
        (1_000, 1_000, 0)
    );
}

#[test]
fn the_platform_pays_its_share_rounded_down() {
    let order = order(&[(1, 1_001), (1, 2_000)]);
    let shared = with("ORDER_FIXED", 101, |terms| terms.platform_share = 5_000);
    let quote = best_of(&order, &[coupon(1, shared)]);
    let applied = &quote.applied[0];
    assert_eq!((applied.discount, applied.platform_pays), (101, 50));
    let parts: Vec<_> = applied
        .allocations
        .iter()
        .map(|part| (part.amount, part.platform_pays))
        .collect();
    assert_eq!(parts, [(34, 17), (67, 33)]); // 33.7 and 67.3; of 50: 16.8 and 33.2
}

#[test]
fn lines_add_up_to_the_quote() {
    let order = order(&[(3, 1_000), (1, 500)]);
    let half = with("LINE_PERCENT", 50, |terms| terms.target = shows(&[1]));
    let quote = best_of(&order, &[coupon(1, half)]);
    let line = |line_no, subtotal, discount| LineTotal {
        line_no,
        subtotal,
        discount,
        total: subtotal - discount,
    };
    assert_eq!(quote.lines, [line(1, 3_000, 1_500), line(2, 500, 0)]);
    assert_eq!(
        (quote.subtotal, quote.discount, quote.total),
        (3_500, 1_500, 2_000)
    );
}

#[test]
fn bounds_look_at_what_is_left() {
    let order = order(&[(1, 10_000)]);
    let half = coupon(1, terms("LINE_PERCENT", 50));
    let from = coupon(
        2,
        with("ORDER_FIXED", 2_000, |terms| terms.min_order = 5_001),
    );
    let up_to = coupon(
        3,
        with("ORDER_FIXED", 2_000, |terms| terms.max_order = Some(5_000)),
    );
    let quote = best_of(&order, &[half, from, up_to]);
    assert_eq!(ids(&quote), [id(1), id(3)]);
    let missing = WhyNot::MinimumNotMet { missing: 1 };
    assert_eq!(quote.unused[0].reason, missing);
}

#[test]
fn an_order_without_lines_costs_nothing() {
    let quote = best_of(&order(&[]), &[coupon(1, terms("ORDER_FIXED", 1))]);
    assert_eq!((quote.total, quote.exact), (0, true));
    assert_eq!(quote.unused[0].reason, WhyNot::NotEligible);
}
