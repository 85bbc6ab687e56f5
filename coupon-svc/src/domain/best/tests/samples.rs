//! Orders and coupons to test with.

use chrono::Weekday;

use super::*;
use crate::domain::order::Line;
use crate::domain::terms::{BASIS_POINTS, Group, Target, weekday_number};

pub(super) fn id(number: u32) -> Uuid {
    Uuid::from_u128(number.into())
}

pub(super) fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + hour * 3600, 0).unwrap()
}

/// Line 1 of seller 1, show 1, performance 1, grade "1", unit 1, on a Friday, and so on.
pub(super) fn line(number: u32, quantity: u32, unit_price: i64) -> Line {
    Line {
        line_no: number,
        seller_id: id(number),
        show_id: id(number),
        performance_id: id(number),
        category: number.to_string(),
        grade: number.to_string(),
        pool_id: id(number),
        ord: number,
        property_id: None,
        weekday: weekday_number(Weekday::Fri),
        quantity,
        unit_price,
    }
}

pub(super) fn order(lines: &[(u32, i64)]) -> Order {
    let lines = (1..).zip(lines);
    Order {
        currency: "KRW".parse().unwrap(),
        lines: lines
            .map(|(number, &(quantity, price))| line(number, quantity, price))
            .collect(),
    }
}

pub(super) fn terms(kind: &'static str, value: i64) -> Terms {
    Terms {
        currency: "KRW".parse().unwrap(),
        kind,
        value,
        max_discount: None,
        min_order: 0,
        max_order: None,
        seller_id: None,
        target: Target::All,
        weekdays: BTreeSet::new(),
        group: None,
        exclusive: false,
        platform_share: BASIS_POINTS,
    }
}

pub(super) fn shows(numbers: &[u32]) -> Target {
    Target::Show(numbers.iter().copied().map(id).collect())
}

pub(super) fn group(name: &str, most: u32) -> Option<Group> {
    let name = name.to_owned();
    Some(Group { name, most })
}

/// A coupon of a campaign of its own, with the same number, that expires in so many hours.
pub(super) fn coupon(number: u32, terms: Terms) -> Candidate {
    Candidate {
        coupon_id: id(number),
        campaign_id: id(number),
        terms: Arc::new(terms),
        valid_from: at(-1),
        expire_time: at(i64::from(number)),
        state: State::Usable,
    }
}

pub(super) fn best_of(order: &Order, candidates: &[Candidate]) -> Quote {
    best(order, candidates, at(0))
}

pub(super) fn ids(quote: &Quote) -> Vec<Uuid> {
    quote.applied.iter().map(|one| one.coupon_id).collect()
}
