use mesh::status::{INVALID_REQUEST, OVERLOADED, Reason};

use super::*;
use crate::domain::hold::UnitKey;

const NOT_USABLE: Reason = Reason::new("COUPONS_NOT_USABLE", Code::FailedPrecondition, "");

/// One place for 1000.
fn lines() -> [OrderLine; 1] {
    let id = Uuid::from_u128(1);
    [OrderLine {
        line_no: 0,
        seller_id: id,
        show_id: id,
        performance_id: id,
        category: "opera".to_owned(),
        weekday: 1,
        unit: UnitKey {
            pool_id: id,
            ord: 1,
        },
        grade: "R".to_owned(),
        quantity: 1,
        unit_price: mesh::money::Money::new(1_000, "KRW".parse().unwrap()),
    }]
}

/// A quote with one coupon that takes `amount` off line 0.
fn taking(amount: i64) -> Option<pb::Quote> {
    let allocation = pb::Allocation {
        line_no: 0,
        amount,
        platform_pays: 0,
    };
    let applied = pb::AppliedCoupon {
        coupon_id: Uuid::from_u128(2).to_string(),
        campaign_id: Uuid::from_u128(3).to_string(),
        allocations: vec![allocation],
        ..pb::AppliedCoupon::default()
    };
    Some(pb::Quote {
        applied: vec![applied],
        ..pb::Quote::default()
    })
}

fn statuses() -> [(Status, bool); 6] {
    [
        (INVALID_REQUEST.refuse("lines[0].unit_price").into(), true),
        (Status::failed_precondition("nothing can be done"), true),
        (OVERLOADED.refuse("later").into(), false),
        (Status::unavailable("gone"), false),
        (Status::deadline_exceeded("late"), false),
        (Status::internal("a fault"), false),
    ]
}

#[test]
fn what_stays_wrong_is_not_told_as_something_to_repeat() {
    for (status, is_final) in statuses() {
        let asked = quoted(Err(status.clone()), &lines());
        assert_eq!(matches!(asked, Ok(Quoted::Fault(_))), is_final, "{status}");
        assert_eq!(asked.is_err(), !is_final, "{status}");
        let kept = reserved(Err(status.clone()));
        assert_eq!(
            matches!(kept, Ok(Reserved::Refused(_))),
            is_final,
            "{status}"
        );
        assert_eq!(kept.is_err(), !is_final, "{status}");
    }
    for misfit in [None, taking(1_001), taking(0)] {
        let asked = quoted(Ok(misfit), &lines());
        assert!(matches!(asked, Ok(Quoted::Fault(_))), "{asked:?}");
    }
    let asked = quoted(Ok(taking(1_000)), &lines());
    assert!(matches!(asked, Ok(Quoted::Quote(_))), "{asked:?}");
}

#[test]
fn coupons_that_are_not_listed_are_counted() {
    let refusal = NOT_USABLE.refuse("3 of the coupons cannot be used");
    let status = refusal.precondition("USED", "x", "it was used").unlisted(2);
    let asked = quoted(Err(status.into()), &lines());
    let Ok(Quoted::NotUsable(found)) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!((found.coupons.len(), found.unlisted), (1, 2));
}
