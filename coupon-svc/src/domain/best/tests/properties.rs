//! What holds for every quote.

use proptest::prelude::*;

use super::cases::cases;
use super::samples::*;
use super::*;
use crate::domain::discount::kind;

fn sum(numbers: impl Iterator<Item = i64>) -> i64 {
    numbers.sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_level_adds_up(case in cases(0_usize..=25)) {
        let quote = best_of(&case.order, &case.candidates);
        prop_assert_eq!(quote.subtotal, quote.discount + quote.total);
        prop_assert_eq!(quote.discount, sum(quote.applied.iter().map(|one| one.discount)));
        prop_assert_eq!(quote.total, sum(quote.lines.iter().map(|line| line.total)));
        for line in &quote.lines {
            prop_assert!(line.total >= 0 && line.discount >= 0);
            prop_assert_eq!(line.subtotal, line.discount + line.total);
            let parts = quote.applied.iter().flat_map(|one| &one.allocations);
            let parts = parts.filter(|part| part.line_no == line.line_no);
            prop_assert_eq!(line.discount, sum(parts.map(|part| part.amount)));
        }
        for one in &quote.applied {
            prop_assert!(one.discount > 0 && one.platform_pays >= 0);
            prop_assert_eq!(one.discount, sum(one.allocations.iter().map(|part| part.amount)));
            prop_assert_eq!(one.platform_pays, sum(one.allocations.iter().map(|part| part.platform_pays)));
            for part in &one.allocations {
                prop_assert!(part.amount > 0 && (0..=part.amount).contains(&part.platform_pays));
            }
        }
    }

    #[test]
    fn what_is_missing_is_missing_behind_those_before(case in cases(0_usize..=12)) {
        let quote = best_of(&case.order, &case.candidates);
        let candidate = |coupon_id| case.candidates.iter().find(|one| one.coupon_id == coupon_id).unwrap();
        let turn = |one: &Candidate| (kind(one.terms.kind).unwrap().stage(), one.campaign_id, one.coupon_id);
        for unused in &quote.unused {
            let (WhyNot::MinimumNotMet { missing }, short) = (&unused.reason, candidate(unused.coupon_id)) else {
                continue;
            };
            let is_before = |one: &&Applied| !short.terms.exclusive && turn(candidate(one.coupon_id)) < turn(short);
            let lines = case.order.lines.iter().filter(|line| short.terms.matches(line));
            let left = lines.map(|line| {
                let parts = quote.applied.iter().filter(is_before).flat_map(|one| &one.allocations);
                let parts = parts.filter(|part| part.line_no == line.line_no);
                line.price() - sum(parts.map(|part| part.amount))
            });
            prop_assert_eq!(*missing, short.terms.min_order - sum(left));
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(
        (case, shuffled) in cases(0_usize..=25).prop_flat_map(|case| {
            let shuffled = Just(case.candidates.clone()).prop_shuffle();
            (Just(case), shuffled)
        }),
    ) {
        let mut quote = best_of(&case.order, &case.candidates);
        let given: Vec<_> = quote.unused.iter().map(|one| one.coupon_id).collect();
        let unused = case.candidates.iter().map(|one| one.coupon_id).filter(|one| given.contains(one));
        prop_assert_eq!(&given, &unused.collect::<Vec<_>>());
        let mut other = best_of(&case.order, &shuffled);
        quote.unused.sort_by_key(|one| one.coupon_id);
        other.unused.sort_by_key(|one| one.coupon_id);
        prop_assert_eq!(quote, other);
    }

    #[test]
    fn whoever_chooses_the_best_set_gets_it(case in cases(0_usize..=25)) {
        let best = best_of(&case.order, &case.candidates);
        let chosen: BTreeSet<_> = ids(&best).into_iter().collect();
        prop_assert_eq!(best.applied.len() + best.unused.len(), case.candidates.len());
        let chosen = apply(&case.order, &chosen, &case.candidates, at(0)).unwrap();
        prop_assert_eq!(best.applied, chosen.applied);
        prop_assert_eq!(best.lines, chosen.lines);
        for (one, other) in best.unused.into_iter().zip(chosen.unused) {
            let same = one == other || (one.reason, other.reason) == (WhyNot::NotBetter, WhyNot::NotChosen);
            prop_assert!(same);
        }
    }

    #[test]
    fn no_coupon_alone_is_better(case in cases(15_usize..=30)) {
        let best = best_of(&case.order, &case.candidates);
        for one in &case.candidates {
            if let Ok(alone) = apply(&case.order, &BTreeSet::from([one.coupon_id]), &case.candidates, at(0)) {
                prop_assert!(alone.discount <= best.discount);
            }
        }
    }

    #[test]
    fn a_choice_fails_for_what_does_not_fit_and_only_for_that(case in cases(0_usize..=6)) {
        let all: BTreeSet<_> = case.candidates.iter().map(|one| one.coupon_id).collect();
        if let Err(misfits) = apply(&case.order, &all, &case.candidates, at(0)) {
            let misfits: BTreeSet<_> = misfits.iter().map(|one| one.coupon_id).collect();
            let rest: BTreeSet<_> = all.difference(&misfits).copied().collect();
            prop_assert!(!misfits.is_empty());
            prop_assert!(apply(&case.order, &rest, &case.candidates, at(0)).is_ok());
        }
    }
}

#[test]
fn many_coupons_get_a_set_that_is_not_proven_the_best() {
    let many: Vec<_> = (1..=100)
        .map(|number| coupon(number, terms("LINE_PERCENT", 1)))
        .collect();
    let quote = best_of(&order(&[(1, 10_000)]), &many);
    assert!(!quote.exact);
    assert!(quote.discount >= 6_000, "{}", quote.discount); // what is left falls by a hundredth each time
}

/// The best set is the one that leaves just what the largest coupon needs: nothing short of every sum finds it.
#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let small = |number: u32| {
        coupon(
            number,
            terms("LINE_FIXED", 1_000_003 + 7 * i64::from(number).pow(3)),
        )
    };
    let from = Terms {
        min_order: 90_000_000,
        ..terms("ORDER_FIXED", 50_000_000)
    };
    let mut coupons: Vec<_> = (1..20).map(small).chain([coupon(20, from)]).collect();
    let quote = best_of(&order(&[(1, 100_000_000)]), &coupons);
    assert!(!quote.exact);
    assert!(
        (59_000_000..60_000_000).contains(&quote.discount),
        "{}",
        quote.discount
    );
    coupons.truncate(8);
    assert!(best_of(&order(&[(1, 100_000_000)]), &coupons).exact);
}
