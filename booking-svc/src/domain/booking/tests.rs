use super::*;

const WINDOW: PaymentWindow = PaymentWindow {
    longest: Duration::from_secs(600),
    shortest: Duration::from_secs(60),
    before_max_expire: Duration::from_secs(120),
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn krw(units: i64) -> Money {
    Money::new(units, "KRW".parse().unwrap())
}

fn hold(state: HoldState, total: i64) -> Hold {
    Hold {
        hold_id: Uuid::from_u128(1),
        account_id: Uuid::from_u128(2),
        buyer_reference: None,
        state,
        request_hash: vec![],
        lines: vec![],
        returned: [].into(),
        total: krw(total),
        expire_time: at(300),
        max_expire_time: at(1200),
        create_time: at(0),
    }
}

fn wanted(total: Money, method: Method) -> CreateBooking {
    CreateBooking {
        request_id: Uuid::from_u128(3),
        account_id: Uuid::from_u128(2),
        request_hash: vec![],
        hold_id: Uuid::from_u128(1),
        expected_total: total,
        coupons: CouponChoice::None,
        method,
    }
}

#[test]
fn only_a_live_hold_is_booked() {
    use BookingRefusal::{HoldAlreadyBooked, HoldExpired, HoldReleased};
    let wanted = wanted(krw(10), Method::OnSite);
    let result = |state, seconds| open(&wanted, &hold(state, 10), &[], WINDOW, at(seconds));
    assert_eq!(result(HoldState::Held, 299), Ok(at(899)));
    assert_eq!(result(HoldState::Held, 300), Err(HoldExpired));
    assert_eq!(result(HoldState::Expired, 0), Err(HoldExpired));
    assert_eq!(result(HoldState::Released, 0), Err(HoldReleased));
    for state in [HoldState::Paying, HoldState::Closing, HoldState::Confirmed] {
        assert_eq!(result(state, 0), Err(HoldAlreadyBooked));
    }
}

#[test]
fn the_payment_ends_before_the_hold_must() {
    let wanted = wanted(krw(10), Method::OnSite);
    let mut old = hold(HoldState::Held, 10);
    old.expire_time = at(1200);
    assert_eq!(open(&wanted, &old, &[], WINDOW, at(600)), Ok(at(1080)));
    assert_eq!(open(&wanted, &old, &[], WINDOW, at(1020)), Ok(at(1080)));
    assert_eq!(
        open(&wanted, &old, &[], WINDOW, at(1021)),
        Err(BookingRefusal::HoldExpired)
    );
}

#[test]
fn the_buyer_agrees_to_the_sum_and_the_method_fits_it() {
    let result = |total, sum, method| {
        open(
            &wanted(sum, method),
            &hold(HoldState::Held, total),
            &[],
            WINDOW,
            at(0),
        )
    };
    assert!(result(10, krw(10), Method::OnSite).is_ok());
    assert!(result(0, krw(0), Method::Free).is_ok());
    let free = BookingRefusal::MethodNotAllowed(Method::Free);
    assert_eq!(result(10, krw(10), Method::Free), Err(free));
    let on_site = BookingRefusal::MethodNotAllowed(Method::OnSite);
    assert_eq!(result(0, krw(0), Method::OnSite), Err(on_site));
    assert_eq!(
        result(10, krw(9), Method::OnSite),
        Err(BookingRefusal::TotalChanged(krw(10)))
    );
    let euro = Money::new(10, "EUR".parse().unwrap());
    let mismatch = BookingRefusal::CurrencyMismatch(krw(10));
    assert_eq!(result(10, euro, Method::OnSite), Err(mismatch));
}

#[test]
fn the_buyer_agrees_to_what_coupons_leave() {
    let discount = Discount {
        coupon_id: Uuid::from_u128(5),
        campaign_id: Uuid::from_u128(6),
        parts: vec![price::Part {
            line_no: 0,
            amount: 10,
            platform_amount: 0,
        }],
    };
    let hold = |total| hold(HoldState::Held, total);
    let result = |total, sum, method| {
        let discounts = std::slice::from_ref(&discount);
        open(
            &wanted(krw(sum), method),
            &hold(total),
            discounts,
            WINDOW,
            at(0),
        )
    };
    assert!(result(15, 5, Method::OnSite).is_ok());
    assert!(result(10, 0, Method::Free).is_ok());
    let changed = BookingRefusal::TotalChanged(krw(5));
    assert_eq!(result(15, 15, Method::OnSite), Err(changed));
    let on_site = BookingRefusal::MethodNotAllowed(Method::OnSite);
    assert_eq!(result(10, 0, Method::OnSite), Err(on_site));
}

#[test]
fn a_strangers_hold_does_not_exist() {
    let mut foreign = wanted(krw(10), Method::OnSite);
    foreign.account_id = Uuid::from_u128(9);
    let refused = open(
        &foreign,
        &hold(HoldState::Confirmed, 10),
        &[],
        WINDOW,
        at(0),
    );
    assert_eq!(refused, Err(BookingRefusal::HoldNotFound));
}

#[test]
fn a_declined_buyer_keeps_the_units_for_a_while_but_not_for_ever() {
    let (hold, least) = (hold(HoldState::Paying, 10), Duration::from_secs(60));
    assert_eq!(expiry_after_decline(&hold, least, at(100)), at(300));
    assert_eq!(expiry_after_decline(&hold, least, at(290)), at(350));
    assert_eq!(expiry_after_decline(&hold, least, at(1190)), at(1200));
}
