//! Each reason, and how ties are broken.

use super::samples::*;
use super::*;

fn one_line() -> Order {
    order(&[(1, 10_000)])
}

fn reasons(quote: &Quote) -> Vec<WhyNot> {
    quote.unused.iter().map(|one| one.reason.clone()).collect()
}

/// Why a coupon takes nothing off an order of one line of 10000.
fn alone(change: impl FnOnce(&mut Candidate)) -> WhyNot {
    let mut candidate = coupon(1, terms("ORDER_FIXED", 100));
    change(&mut candidate);
    let quote = best_of(&one_line(), &[candidate]);
    assert_eq!((quote.discount, quote.exact), (0, true));
    reasons(&quote).remove(0)
}

fn of_terms(change: impl FnOnce(&mut Terms)) -> WhyNot {
    alone(|candidate| change(Arc::make_mut(&mut candidate.terms)))
}

#[test]
fn states_and_times_are_told() {
    for (state, reason) in [
        (State::Reserved, WhyNot::Reserved),
        (State::Used, WhyNot::Used),
        (State::Revoked, WhyNot::Revoked),
        (State::Expired, WhyNot::Expired { at: at(1) }),
    ] {
        assert_eq!(alone(|one| one.state = state), reason);
    }
    assert_eq!(
        alone(|one| one.expire_time = at(0)),
        WhyNot::Expired { at: at(0) }
    );
    assert_eq!(
        alone(|one| one.valid_from = at(1)),
        WhyNot::NotYetValid { from: at(1) }
    );
    let from_now = Candidate {
        valid_from: at(0),
        ..coupon(1, terms("ORDER_FIXED", 100))
    };
    assert_eq!(best_of(&one_line(), &[from_now]).discount, 100);
}

#[test]
fn what_the_order_is_not_is_told() {
    let euro = "EUR".parse().unwrap();
    assert_eq!(
        of_terms(|terms| terms.currency = euro),
        WhyNot::CurrencyMismatch
    );
    assert_eq!(
        of_terms(|terms| terms.target = shows(&[2])),
        WhyNot::NotEligible
    );
    assert_eq!(
        of_terms(|terms| terms.seller_id = Some(id(2))),
        WhyNot::NotEligible
    );
    assert_eq!(
        of_terms(|terms| terms.weekdays = BTreeSet::from([0])),
        WhyNot::NotEligible
    );
    let missing = WhyNot::MinimumNotMet { missing: 2_000 };
    assert_eq!(of_terms(|terms| terms.min_order = 12_000), missing);
    let excess = WhyNot::MaximumExceeded { excess: 1_000 };
    assert_eq!(of_terms(|terms| terms.max_order = Some(9_000)), excess);
    let exclusive = |terms: &mut Terms| (terms.max_order, terms.exclusive) = (Some(9_000), true);
    assert_eq!(of_terms(exclusive), excess);
}

#[test]
fn what_is_missing_is_told_of_the_turn_of_a_coupon() {
    let from = |number, kind, min_order| {
        let min_order = Terms {
            min_order,
            ..terms(kind, 100)
        };
        coupon(number, min_order)
    };
    let used = [
        coupon(2, terms("LINE_PERCENT", 10)),
        coupon(4, terms("ORDER_FIXED", 500)),
    ];
    // 10000 before the first of them, 9000 behind it, 8500 behind both.
    for (kind, number, missing) in [
        ("LINE_PERCENT", 1, 2_000),
        ("LINE_PERCENT", 3, 3_000),
        ("ORDER_FIXED", 3, 3_000),
        ("ORDER_FIXED", 5, 3_500),
    ] {
        let mut candidates = used.to_vec();
        candidates.push(from(number, kind, 12_000));
        let missing = [WhyNot::MinimumNotMet { missing }];
        let quote = best_of(&one_line(), &candidates);
        assert_eq!(
            (ids(&quote), &reasons(&quote)[..]),
            (vec![id(2), id(4)], &missing[..])
        );
        let chosen = BTreeSet::from([id(2), id(4)]);
        let quote = apply(&one_line(), &chosen, &candidates, at(0)).unwrap();
        assert_eq!(reasons(&quote), missing);
        let chosen = candidates.iter().map(|one| one.coupon_id).collect();
        let misfits = apply(&one_line(), &chosen, &candidates, at(0)).unwrap_err();
        let misfits: Vec<_> = misfits.into_iter().map(|one| one.reason).collect();
        assert_eq!(misfits, missing);
    }
    // What is used alone has its turn alone.
    let mut alone = from(5, "ORDER_FIXED", 12_000);
    Arc::make_mut(&mut alone.terms).exclusive = true;
    let quote = best_of(&one_line(), &[used[0].clone(), alone]);
    assert_eq!(reasons(&quote), [WhyNot::MinimumNotMet { missing: 2_000 }]);
}

#[test]
fn what_takes_nothing_off_is_told() {
    let order = order(&[(1, 50)]);
    let percent = coupon(1, terms("LINE_PERCENT", 1));
    assert_eq!(reasons(&best_of(&order, &[percent])), [WhyNot::NoEffect]);
    let all = coupon(1, terms("LINE_PERCENT", 100));
    let more = coupon(2, terms("ORDER_FIXED", 100));
    assert_eq!(reasons(&best_of(&order, &[all, more])), [WhyNot::NoEffect]);
    let unknown = coupon(1, terms("BUY_ONE_GET_ONE", 1));
    assert_eq!(reasons(&best_of(&order, &[unknown])), [WhyNot::NoEffect]);
}

#[test]
fn exclusive_coupons_are_used_alone() {
    let exclusive = |value| Terms {
        exclusive: true,
        ..terms("ORDER_FIXED", value)
    };
    let others = [
        coupon(1, terms("ORDER_FIXED", 100)),
        coupon(2, terms("ORDER_FIXED", 200)),
    ];
    let with = |value| [others.to_vec(), vec![coupon(3, exclusive(value))]].concat();
    let quote = best_of(&one_line(), &with(301));
    assert_eq!(ids(&quote), [id(3)]);
    let beside = |numbers: &[u32]| WhyNot::ExclusiveWith {
        coupon_ids: numbers.iter().copied().map(id).collect(),
    };
    assert_eq!(reasons(&quote), [beside(&[3]), beside(&[3])]);
    let quote = best_of(&one_line(), &with(299));
    assert_eq!(ids(&quote), [id(1), id(2)]);
    assert_eq!(reasons(&quote), [beside(&[1, 2])]);
}

#[test]
fn a_campaign_is_used_once() {
    let of_campaign = |number, hours| Candidate {
        campaign_id: id(7),
        expire_time: at(hours),
        ..coupon(number, terms("ORDER_FIXED", 100))
    };
    let quote = best_of(
        &one_line(),
        &[of_campaign(1, 3), of_campaign(2, 2), of_campaign(3, 2)],
    );
    assert_eq!(ids(&quote), [id(2)]);
    let same = WhyNot::SameCampaign { coupon_id: id(2) };
    assert_eq!(reasons(&quote), [same.clone(), same]);
}

#[test]
fn a_group_is_held_to_its_lowest_limit() {
    let of_group = |number, value, most| {
        let group = group("CARD", most);
        coupon(
            number,
            Terms {
                group,
                ..terms("ORDER_FIXED", value)
            },
        )
    };
    let full = |numbers: &[u32]| WhyNot::GroupFull {
        group: "CARD".to_owned(),
        coupon_ids: numbers.iter().copied().map(id).collect(),
    };
    let coupons = [
        of_group(1, 100, 2),
        of_group(2, 110, 2),
        of_group(3, 120, 2),
    ];
    let quote = best_of(&one_line(), &coupons);
    assert_eq!(
        (ids(&quote), reasons(&quote)),
        (vec![id(2), id(3)], vec![full(&[2, 3])])
    );
    let coupons = [
        of_group(1, 100, 9),
        of_group(2, 110, 9),
        of_group(3, 120, 1),
    ];
    let quote = best_of(&one_line(), &coupons);
    assert_eq!(
        (ids(&quote), reasons(&quote)),
        (vec![id(1), id(2)], vec![full(&[1, 2])])
    );
    let quote = best_of(&one_line(), &[of_group(1, 100, 0)]);
    assert_eq!(reasons(&quote), [full(&[])]);
}

#[test]
fn a_group_is_of_one_seller_or_of_the_platform() {
    let order = order(&[(1, 10_000), (1, 10_000)]);
    let of = |number, seller: Option<u32>, most| {
        let terms = Terms {
            seller_id: seller.map(id),
            group: group("CARD", most),
            ..terms("ORDER_FIXED", 100)
        };
        coupon(number, terms)
    };
    let apart = [
        of(1, None, 2),
        of(2, None, 2),
        of(3, Some(1), 1),
        of(4, Some(2), 1),
    ];
    let quote = best_of(&order, &apart);
    assert_eq!(ids(&quote), [1, 2, 3, 4].map(id));
    let together = [of(1, None, 2), of(2, None, 2), of(3, None, 1)];
    assert_eq!(best_of(&order, &together).discount, 200);
    let together = [of(3, Some(1), 1), of(4, Some(1), 1)];
    assert_eq!(best_of(&order, &together).discount, 100);
}

#[test]
fn what_would_keep_others_out_is_not_better() {
    let percent = coupon(1, terms("LINE_PERCENT", 10));
    let from = Terms {
        min_order: 10_000,
        ..terms("ORDER_FIXED", 3_000)
    };
    let quote = best_of(&one_line(), &[percent, coupon(2, from)]);
    assert_eq!(
        (ids(&quote), reasons(&quote)),
        (vec![id(2)], vec![WhyNot::NotBetter])
    );
}

#[test]
fn the_lowest_expiries_win_ties() {
    let free = |number, hours, platform_share| Candidate {
        expire_time: at(hours),
        ..coupon(
            number,
            Terms {
                platform_share,
                ..terms("ORDER_FIXED", 10_000)
            },
        )
    };
    let half = |number, hours| Candidate {
        expire_time: at(hours),
        ..coupon(number, terms("ORDER_FIXED", 5_000))
    };
    for (coupons, chosen) in [
        (vec![free(1, 9, 0), free(2, 8, 10_000)], vec![2]), // expires first
        (vec![half(1, 9), half(2, 8), half(3, 7)], vec![2, 3]),
        (vec![half(1, 5), free(2, 7, 0), half(3, 9)], vec![1, 2]), // what expires first, beside what else
        (vec![half(1, 7), free(2, 7, 0), half(3, 9)], vec![2]),    // fewer
        (vec![free(1, 7, 5_000), free(2, 7, 4_999)], vec![2]),     // cheaper for the platform
        (vec![free(2, 7, 5_000), free(1, 7, 5_000)], vec![1]),     // the lower id
    ] {
        let quote = best_of(&one_line(), &coupons);
        let chosen: Vec<_> = chosen.into_iter().map(id).collect();
        assert_eq!(
            (quote.discount, ids(&quote), quote.exact),
            (10_000, chosen, true)
        );
    }
}

#[test]
fn a_choice_is_taken_as_it_is() {
    let coupons = [1, 2, 3].map(|number| coupon(number, terms("ORDER_FIXED", 100)));
    let chosen = BTreeSet::from([id(3), id(1)]);
    let quote = apply(&one_line(), &chosen, &coupons, at(0)).unwrap();
    assert_eq!(
        (ids(&quote), quote.discount, quote.exact),
        (vec![id(1), id(3)], 200, false)
    );
    assert_eq!(reasons(&quote), [WhyNot::NotChosen]);
    let nothing = apply(&one_line(), &BTreeSet::new(), &coupons, at(0)).unwrap();
    assert_eq!((nothing.discount, nothing.unused.len()), (0, 3));
}

#[test]
fn every_coupon_of_a_choice_that_does_not_fit_is_named() {
    let exclusive = Terms {
        exclusive: true,
        ..terms("ORDER_FIXED", 100)
    };
    let full = Terms {
        min_order: 10_000,
        group: group("CARD", 1),
        ..terms("ORDER_PERCENT", 10)
    };
    let coupons = [
        coupon(1, exclusive),
        coupon(2, full.clone()),
        coupon(3, full.clone()),
        Candidate {
            campaign_id: id(2),
            ..coupon(4, full.clone())
        },
        coupon(5, terms("LINE_PERCENT", 100)),
        Candidate {
            state: State::Used,
            ..coupon(6, full)
        },
    ];
    let misfits = |numbers: &[u32]| {
        let chosen = numbers.iter().copied().map(id).collect();
        let misfits = apply(&one_line(), &chosen, &coupons, at(0)).unwrap_err();
        let misfit = |one: Unused| (u32::try_from(one.coupon_id.as_u128()).unwrap(), one.reason);
        misfits.into_iter().map(misfit).collect::<Vec<_>>()
    };
    let coupon_ids = vec![id(2), id(3)];
    let full = WhyNot::GroupFull {
        group: "CARD".to_owned(),
        coupon_ids: vec![id(2)],
    };
    assert_eq!(
        misfits(&[1, 2, 3, 9]),
        [
            (9, WhyNot::Unknown),
            (3, full),
            (1, WhyNot::ExclusiveWith { coupon_ids }),
        ]
    );
    let same = WhyNot::SameCampaign { coupon_id: id(2) };
    assert_eq!(misfits(&[2, 4]), [(4, same)]);
    let missing = WhyNot::MinimumNotMet { missing: 10_000 };
    assert_eq!(misfits(&[2, 5, 6]), [(6, WhyNot::Used), (2, missing)]);
}
