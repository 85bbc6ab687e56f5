//! Refunds that were parked and are sent again.

use super::*;

const ALL: [RefundState; 4] = [
    RefundState::Pending,
    RefundState::Sent,
    RefundState::Done,
    RefundState::Parked,
];

/// A captured payment and its refund of 4,000, parked at 10 s.
fn parked() -> (Payment, RefundRow) {
    let mut payment = payment_in(State::Captured);
    let change = payment.refund(Uuid::from_u128(7), Some(won(4_000)));
    let sent = row(&payment, change.unwrap().refund.unwrap());
    let change = payment.refund_parked(&sent, "NOT_CANCELABLE_PAYMENT");
    let told = Event::RefundParked {
        refund_id: sent.refund_id,
        amount: won(4_000),
        reason: "NOT_CANCELABLE_PAYMENT".to_owned(),
    };
    assert_eq!(change.events, [told]);
    let parked = RefundRow {
        state: RefundState::Parked,
        park_time: Some(at(10)),
        ..sent
    };
    (payment, parked)
}

#[test]
fn only_a_parked_refund_is_retried_and_it_asks_for_no_more_money() {
    let ladder = Ladder::default();
    for state in ALL {
        let (mut payment, parked) = parked();
        let before = payment.clone();
        let refund = RefundRow { state, ..parked };
        let retried = payment.retry_refund(&refund, &ladder, at(200));
        if state != RefundState::Parked {
            assert_eq!(retried, Err(Rejection::RefundNotParked), "{state:?}");
            assert_eq!(payment, before);
            continue;
        }
        let (retried, change) = retried.unwrap();
        assert_eq!(
            (retried.state, retried.retries, retried.park_time),
            (RefundState::Pending, 1, None)
        );
        assert_eq!((change.events.len(), change.refund), (0, None));
        assert_eq!((change.from, change.to), (State::Captured, State::Captured));
        let money = |it: &Payment| (it.captured_amount, it.refund_amount, it.refunded_amount);
        assert_eq!(money(&payment), money(&before));
        assert_eq!(payment.version, before.version + 1);
    }
}

#[test]
fn a_retry_waits_until_absence_can_be_read_and_has_a_key_of_its_own() {
    let ladder = Ladder::default();
    let (mut payment, first) = parked();
    let mut due = |refund: &RefundRow, now| {
        let (retried, _) = payment.retry_refund(refund, &ladder, at(now)).unwrap();
        retried.key_time
    };
    assert_eq!(due(&first, 11), at(100), "90 s after it was parked");
    assert_eq!(due(&first, 500), at(500));
    let unknown = RefundRow {
        park_time: None,
        ..first.clone()
    };
    assert_eq!(due(&unknown, 500), at(590), "parked by an older version");

    let mut keys = vec![first.idempotency_key];
    let mut refund = first;
    for retries in 1..=3 {
        let (retried, _) = payment.retry_refund(&refund, &ladder, at(500)).unwrap();
        assert_eq!(retried.retries, retries);
        assert!(!keys.contains(&retried.idempotency_key));
        keys.push(retried.idempotency_key);
        refund = RefundRow {
            state: RefundState::Parked,
            ..retried
        };
    }
}

#[test]
fn a_record_shows_a_refund_by_its_id_and_proves_absence_for_its_own_payment_alone() {
    let (_, first) = parked();
    let again = RefundRow {
        retries: 1,
        ..first.clone()
    };
    let captured = |key: &str, refund_id| Finding::Captured {
        payment_key: key.to_owned(),
        amount: won(ASKED),
        refunds: vec![Refund {
            refund_id,
            amount: 4_000,
        }],
    };
    let mine = Some(first.refund_id);
    for (refund, finding, record) in [
        (&first, captured("key", mine), Record::Shown),
        (&again, captured("key", mine), Record::Shown),
        (&first, captured("key", None), Record::Absent),
        (&again, captured("key", None), Record::Absent),
        // The first key protects itself, so that its record need not.
        (&first, captured("another", None), Record::Absent),
        (&again, captured("another", None), Record::OfAnother),
    ] {
        assert_eq!(refund.look_up("key", finding), record);
    }
    for silent in [
        Finding::Nothing,
        Finding::Unknown {
            why: "503".to_owned(),
        },
    ] {
        let read = again.look_up("key", silent);
        assert!(matches!(read, Record::Unread { .. }), "{read:?}");
    }
}
