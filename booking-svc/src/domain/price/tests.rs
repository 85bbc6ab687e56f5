use mesh::money::{Currency, Money};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn line(line_no: i32, quantity: i32, price: i64) -> OrderLine {
    let id = Uuid::from_u128(1);
    OrderLine {
        line_no,
        seller_id: id,
        show_id: id,
        performance_id: id,
        category: String::new(),
        weekday: 1,
        unit: UnitKey {
            pool_id: id,
            ord: line_no,
        },
        grade: String::new(),
        quantity,
        unit_price: Money::new(price, "KRW".parse::<Currency>().unwrap()),
    }
}

fn coupon(number: u128, parts: &[(i32, i64, i64)]) -> Discount {
    let part = |(line_no, amount, platform_amount): &(i32, i64, i64)| Part {
        line_no: *line_no,
        amount: *amount,
        platform_amount: *platform_amount,
    };
    Discount {
        coupon_id: Uuid::from_u128(number),
        campaign_id: Uuid::from_u128(number),
        parts: parts.iter().map(part).collect(),
    }
}

#[test]
fn what_fits_is_added_up() {
    let lines = [line(0, 2, 500), line(1, 1, 300)];
    let discounts = [
        coupon(1, &[(0, 100, 40)]),
        coupon(2, &[(0, 900, 0), (1, 7, 7)]),
    ];
    assert_eq!(check(&lines, &discounts), Ok(()));
    assert_eq!(total(&discounts), 1_007);
    assert_eq!(of_line(&discounts, 0), (1_000, 40));
    assert_eq!(of_line(&discounts, 1), (7, 7));
    assert_eq!(of_line(&discounts, 2), (0, 0));
}

#[test]
fn what_does_not_fit_the_lines_is_refused() {
    let lines = [line(0, 2, 500), line(1, 1, 300)];
    let one = Uuid::from_u128(1);
    for (discounts, misfit) in [
        (vec![coupon(1, &[(0, 0, 0)])], Misfit::Amount(one, 0, 0)),
        (vec![coupon(1, &[(0, -1, 0)])], Misfit::Amount(one, 0, -1)),
        (vec![coupon(1, &[(0, 5, 6)])], Misfit::Amount(one, 0, 5)),
        (vec![coupon(1, &[(2, 5, 0)])], Misfit::Amount(one, 2, 5)),
        (vec![coupon(1, &[(1, 301, 0)])], Misfit::Line(1)),
        (
            vec![coupon(2, &[(1, 200, 0)]), coupon(1, &[(1, 101, 0)])],
            Misfit::Line(1),
        ),
        (vec![coupon(1, &[])], Misfit::Coupon(one)),
        (
            vec![coupon(1, &[(0, 1, 0), (0, 1, 0)])],
            Misfit::Coupon(one),
        ),
        (
            vec![coupon(1, &[(0, 1, 0)]), coupon(1, &[(1, 1, 0)])],
            Misfit::Coupon(one),
        ),
    ] {
        assert_eq!(check(&lines, &discounts), Err(misfit), "{discounts:?}");
    }
}

proptest! {
    #[test]
    fn the_places_of_a_line_bear_its_discount_together(
        (quantity, unit, amount) in (1_i64..=50, 0_i64..=100_000)
            .prop_flat_map(|(quantity, unit)| (Just(quantity), Just(unit), 0..=quantity * unit))
    ) {
        let shares: Vec<i64> = (0..quantity).map(|seq| place_share(amount, quantity, seq)).collect();
        prop_assert_eq!(shares.iter().sum::<i64>(), amount);
        prop_assert!(shares.iter().all(|share| (0..=unit).contains(share)));
        prop_assert!(shares.windows(2).all(|two| (0..=1).contains(&(two[0] - two[1]))));
    }
}
