//! The whole grid of states and commands, and random histories whose money has to add up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mesh::money::Money;
use uuid::Uuid;

use super::*;

mod grid;
mod histories;
mod retries;

const ASKED: i64 = 15_000;

fn won(units: i64) -> Money {
    Money::new(units, "KRW".parse().unwrap())
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// Deadline of every payment here.
const DEADLINE: i64 = 600;

fn new_payment(method: Method) -> Payment {
    let on_site = method == Method::OnSite;
    let new = NewPayment {
        payment_id: Uuid::from_u128(1),
        booking_id: Uuid::from_u128(2),
        account_id: Uuid::from_u128(3),
        method,
        provider: on_site.then(|| "toss".to_owned()),
        order_name: "two seats".to_owned(),
        amount: won(if on_site { ASKED } else { 0 }),
        expire_time: on_site.then(|| at(DEADLINE)),
    };
    Payment::open(new, at(0)).0
}

fn approved(units: i64) -> Outcome {
    Outcome::Approved {
        payment_key: "key".to_owned(),
        amount: won(units),
    }
}

fn declined(customer_may_retry: bool) -> Outcome {
    Outcome::Declined(Answer::read("CODE").declines(customer_may_retry))
}

fn unknown() -> Outcome {
    Outcome::Unknown {
        why: "read timeout".to_owned(),
    }
}

/// A payment that came to `state` the way payments do.
fn payment_in(state: State) -> Payment {
    let ladder = Ladder::default();
    let mut payment = new_payment(Method::OnSite);
    let confirm = |payment: &mut Payment| {
        assert!(
            payment
                .confirm("key", won(ASKED), &ladder, at(1))
                .unwrap()
                .is_some()
        )
    };
    let settle = |payment: &mut Payment, outcome| {
        confirm(payment);
        assert!(payment.settle(1, outcome, &ladder, at(2)).is_some());
    };
    match state {
        State::AwaitingCustomer => {}
        State::Processing => confirm(&mut payment),
        State::Unknown => settle(&mut payment, unknown()),
        State::Captured => settle(&mut payment, approved(ASKED)),
        State::Declined => settle(&mut payment, declined(false)),
        State::Cancelled => assert!(
            !payment
                .cancel(None, &Ladder::default(), at(1))
                .events
                .is_empty()
        ),
        State::Expired => assert!(payment.expire(&Ladder::default(), at(DEADLINE)).is_some()),
        State::PartiallyRefunded | State::Refunded => {
            settle(&mut payment, approved(ASKED));
            let amount = if state == State::Refunded {
                ASKED
            } else {
                4_000
            };
            let change = payment
                .refund(Uuid::from_u128(9), Some(won(amount)))
                .unwrap();
            assert_eq!(
                payment
                    .refunded(&row(&payment.clone(), change.refund.unwrap()))
                    .events
                    .len(),
                1
            );
        }
    }
    assert_eq!(payment.state, state);
    payment
}

fn row(payment: &Payment, new: NewRefund) -> RefundRow {
    RefundRow {
        refund_id: new.refund_id,
        payment_id: payment.payment_id,
        amount: new.amount,
        cause: new.cause,
        state: RefundState::Sent,
        idempotency_key: new.idempotency_key(),
        key_time: at(3),
        attempts: 1,
        retries: 0,
        park_time: None,
        last_error: None,
        create_time: at(3),
    }
}

#[test]
fn the_ladder_is_the_documented_one() {
    let ladder = Ladder::default();
    let waits: Vec<i64> = (0..10)
        .map(|checks| (ladder.next(checks, at(0)) - at(0)).num_seconds())
        .collect();
    assert_eq!(waits, [2, 5, 15, 30, 60, 120, 300, 600, 600, 600]);
    assert_eq!(ladder.conclusive(at(0)), at(90));
    assert_eq!(Ladder::shortened(100).next(6, at(0)), at(3));
    assert_eq!(
        Ladder::shortened(0).next(0, at(0)),
        at(0) + Duration::from_secs(2)
    );
}

#[test]
fn keys_of_attempts_and_refunds_never_meet() {
    let attempt = |number| {
        Attempt::intent(
            Uuid::from_u128(1),
            number,
            "key".to_owned(),
            1,
            (at(0), at(5)),
        )
        .idempotency_key
    };
    let refund = |id| {
        NewRefund {
            refund_id: Uuid::from_u128(id),
            amount: won(1),
            cause: RefundCause::Operator,
        }
        .idempotency_key()
    };
    assert_eq!(attempt(1), attempt(1));
    let keys = [attempt(1), attempt(2), refund(1), refund(2)];
    assert!(
        keys.iter()
            .enumerate()
            .all(|(index, key)| !keys[..index].contains(key))
    );
}
