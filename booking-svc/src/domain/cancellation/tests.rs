use proptest::prelude::*;

use super::*;
use crate::domain::booking::Method;
use crate::domain::price::{Discount, Part};

fn id(number: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap())
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// A confirmed booking of lines at these prices, each for a performance of its own, with what each coupon takes off each line.
fn booking(prices: &[i64], coupons: &[Vec<i64>]) -> Booking {
    let krw = |units| Money::new(units, "KRW".parse().unwrap());
    let line = |(number, price): (usize, &i64)| BookingLine {
        line_no: i32::try_from(number).unwrap(),
        show_id: id(0),
        performance_id: id(number),
        unit: UnitKey {
            pool_id: id(0),
            ord: i32::try_from(number).unwrap(),
        },
        exclusive: true,
        quantity: 1,
        grade: String::new(),
        unit_price: krw(*price),
        refund: None,
    };
    let discount = |(number, parts): (usize, &Vec<i64>)| Discount {
        coupon_id: id(100 + number),
        campaign_id: id(100 + number),
        parts: (0..)
            .zip(parts)
            .filter(|(_, amount)| **amount > 0)
            .map(|(line_no, amount)| Part {
                line_no,
                amount: *amount,
                platform_amount: 0,
            })
            .collect(),
    };
    let discounts: Vec<Discount> = coupons.iter().enumerate().map(discount).collect();
    let total = prices.iter().sum::<i64>() - crate::domain::price::total(&discounts);
    Booking {
        booking_id: id(1),
        account_id: id(2),
        hold_id: id(3),
        request_id: id(4),
        request_hash: Vec::new(),
        state: BookingState::Confirmed,
        method: Method::OnSite,
        payment_id: id(5),
        total: krw(total),
        discounts,
        reservation_id: Some(id(6)),
        failure: None,
        payment_deadline_time: at(0),
        version: 1,
        create_time: at(0),
        confirm_time: Some(at(0)),
        lines: prices.iter().enumerate().map(line).collect(),
        cancellations: Vec::new(),
    }
}

fn starts(lines: usize, time: i64) -> BTreeMap<Uuid, DateTime<Utc>> {
    (0..lines).map(|number| (id(number), at(time))).collect()
}

#[test]
fn a_line_is_paid_back_without_its_discount_and_a_coupon_with_its_last_line() {
    let mut booking = booking(&[500, 300, 200], &[vec![50, 30, 0], vec![0, 0, 20]]);
    let first = cancel(&booking, &[0].into(), &starts(3, 10), at(0)).unwrap();
    assert_eq!(first.refund.minor_units, 450);
    assert_eq!((first.coupons, first.whole), (vec![], false));
    booking.lines[0].refund = Some(450);
    let rest = cancel(&booking, &[].into(), &starts(3, 10), at(0)).unwrap();
    assert_eq!(rest.lines, [(1, 270), (2, 180)].into());
    assert_eq!((rest.coupons, rest.whole), (vec![id(100), id(101)], true));
}

#[test]
fn every_line_that_cannot_be_given_back_is_named() {
    use LineProblem::{Cancelled, Started, Unknown};
    let mut booking = booking(&[500, 300, 200], &[]);
    booking.lines[0].refund = Some(500);
    let mut starts = starts(3, 10);
    starts.insert(id(1), at(0));
    let refused = cancel(&booking, &[0, 1, 2, 3].into(), &starts, at(0));
    let problems = [(0, Cancelled), (1, Started), (3, Unknown)].into();
    assert_eq!(refused, Err(CancelRefusal::Lines(problems)));
    for state in BookingState::ALL {
        booking.state = state;
        let refused = cancel(&booking, &[2].into(), &starts, at(0)).err();
        let expected =
            (state != BookingState::Confirmed).then_some(CancelRefusal::NotCancellable(state));
        assert_eq!(refused, expected);
    }
}

proptest! {
    #[test]
    fn whatever_is_cancelled_in_whatever_order_adds_up_to_what_was_paid(
        prices in prop::collection::vec(1_000_i64..100_000, 1..7),
        parts in prop::collection::vec(prop::collection::vec(0_i64..300, 7), 0..3),
        rounds in prop::collection::vec(prop::collection::btree_set(0_i32..7, 1..4), 1..12),
    ) {
        let lines = prices.len();
        let coupons: Vec<Vec<i64>> = parts.into_iter().map(|mut parts| { parts.truncate(lines); parts }).collect();
        let mut booking = booking(&prices, &coupons);
        let (mut paid_back, mut back) = (0, Vec::new());
        let mut turn = |booking: &mut Booking, named: &BTreeSet<i32>| {
            if let Ok(cancelled) = cancel(booking, named, &starts(lines, 10), at(0)) {
                for line in &mut booking.lines {
                    if let Some(refund) = cancelled.lines.get(&line.line_no) {
                        line.refund = Some(*refund);
                    }
                }
                paid_back += cancelled.refund.minor_units;
                back.extend(cancelled.coupons);
                let left = booking.lines.iter().any(|line| line.refund.is_none());
                assert_eq!(cancelled.whole, !left);
            }
        };
        for named in &rounds {
            turn(&mut booking, named);
        }
        turn(&mut booking, &BTreeSet::new());
        prop_assert_eq!(paid_back, booking.total.minor_units);
        back.sort_unstable();
        let used = booking.discounts.iter().filter(|discount| !discount.parts.is_empty());
        prop_assert_eq!(back, used.map(|discount| discount.coupon_id).collect::<Vec<_>>());
    }
}
