//! Every command in every state.

use super::*;

fn check<T>(command: &str, mut run: impl FnMut(&mut Payment) -> T, expected: [(State, T); 9])
where
    T: std::fmt::Debug + PartialEq,
{
    for (state, (after, answer)) in State::ALL.into_iter().zip(expected) {
        let mut payment = payment_in(state);
        let given = run(&mut payment);
        assert_eq!(
            (payment.state, given),
            (after, answer),
            "{command} in {state:?}"
        );
    }
}

fn events(change: &Change) -> Vec<&'static str> {
    let name = |event: &Event| match event {
        Event::Captured { .. } => "captured",
        Event::Declined { .. } => "declined",
        Event::Cancelled => "cancelled",
        Event::Expired => "expired",
        Event::Refunded { .. } => "refunded",
        Event::LateCaptureFound { .. } => "late",
        Event::RefundParked { .. } => "parked",
    };
    change.events.iter().map(name).collect()
}

#[test]
fn confirm_with_another_key() {
    let confirm = |payment: &mut Payment| {
        payment
            .confirm("other", won(ASKED), &Ladder::default(), at(5))
            .map(|change| change.is_some())
    };
    check(
        "confirm",
        confirm,
        [
            (State::Processing, Ok(true)),
            (State::Processing, Err(Rejection::InProgress)),
            (State::Unknown, Err(Rejection::InProgress)),
            (State::Captured, Err(Rejection::AlreadyCaptured)),
            (State::Declined, Err(Rejection::Declined)),
            (State::Cancelled, Err(Rejection::Cancelled)),
            (State::Expired, Err(Rejection::Expired)),
            (State::PartiallyRefunded, Err(Rejection::AlreadyCaptured)),
            (State::Refunded, Err(Rejection::AlreadyCaptured)),
        ],
    );
}

#[test]
fn confirm_with_the_same_key_answers_what_there_is() {
    for state in [
        State::Processing,
        State::Unknown,
        State::Captured,
        State::Declined,
        State::PartiallyRefunded,
        State::Refunded,
    ] {
        let mut payment = payment_in(state);
        let before = payment.clone();
        assert_eq!(
            payment.confirm("key", won(ASKED), &Ladder::default(), at(5)),
            Ok(None),
            "{state:?}"
        );
        assert_eq!(payment, before);
    }
}

#[test]
fn confirm_refuses_another_amount_and_the_deadline() {
    let ladder = Ladder::default();
    let mut payment = payment_in(State::AwaitingCustomer);
    let euro = Money::new(ASKED, "EUR".parse().unwrap());
    assert_eq!(
        payment.confirm("key", won(ASKED - 1), &ladder, at(5)),
        Err(Rejection::AmountMismatch)
    );
    assert_eq!(
        payment.confirm("key", euro, &ladder, at(5)),
        Err(Rejection::CurrencyMismatch)
    );
    assert_eq!(
        payment.confirm("key", won(ASKED), &ladder, at(DEADLINE)),
        Err(Rejection::Expired)
    );
    assert_eq!(payment, payment_in(State::AwaitingCustomer));
}

fn settle(
    outcome: Outcome,
) -> impl FnMut(&mut Payment) -> Option<(Vec<&'static str>, Option<i64>)> {
    move |payment: &mut Payment| {
        let change = payment.settle(1, outcome.clone(), &Ladder::default(), at(7));
        change.map(|change| {
            (
                events(&change),
                change.refund.map(|refund| refund.amount.minor_units),
            )
        })
    }
}

#[test]
fn money_counts_where_it_is_awaited_and_goes_back_everywhere_else() {
    let late = || Some((vec!["late"], Some(ASKED)));
    check(
        "approved",
        settle(approved(ASKED)),
        [
            // No attempt is awaited, but the money is there and nobody else claims the payment.
            (State::Captured, Some((vec!["captured"], None))),
            (State::Captured, Some((vec!["captured"], None))),
            (State::Captured, Some((vec!["captured"], None))),
            (State::Captured, None),
            (State::Declined, late()),
            (State::Cancelled, late()),
            (State::Expired, late()),
            (State::PartiallyRefunded, None),
            (State::Refunded, None),
        ],
    );
}

#[test]
fn other_answers_count_only_where_they_are_awaited() {
    let answers = [
        (declined(false), State::Declined, vec!["declined"]),
        (unknown(), State::Unknown, vec![]),
        (Outcome::Pending, State::Unknown, vec![]),
    ];
    for (outcome, after, told) in answers {
        let expected = State::ALL.map(|state| match state {
            State::Processing | State::Unknown => (after, Some((told.clone(), None))),
            other => (other, None),
        });
        check("answer", settle(outcome), expected);
    }
}

#[test]
fn cancel_leaves_no_money() {
    let cancel = |payment: &mut Payment| {
        let change = payment.cancel(None, &Ladder::default(), at(8));
        (
            events(&change),
            change.refund.map(|refund| refund.amount.minor_units),
        )
    };
    check(
        "cancel",
        cancel,
        [
            (State::Cancelled, (vec!["cancelled"], None)),
            (State::Processing, (vec![], None)),
            (State::Unknown, (vec![], None)),
            (State::Captured, (vec![], Some(ASKED))),
            (State::Declined, (vec!["cancelled"], None)),
            (State::Cancelled, (vec!["cancelled"], None)),
            (State::Expired, (vec!["cancelled"], None)),
            (State::PartiallyRefunded, (vec![], Some(ASKED - 4_000))),
            (State::Refunded, (vec![], None)),
        ],
    );
}

#[test]
fn refund_and_deadline() {
    let refund = |payment: &mut Payment| {
        payment
            .refund(Uuid::from_u128(7), None)
            .map(|change| change.refund.unwrap().amount.minor_units)
    };
    let expected = State::ALL.map(|state| match state {
        State::Captured => (state, Ok(ASKED)),
        State::PartiallyRefunded => (state, Ok(ASKED - 4_000)),
        other => (other, Err(Rejection::NotRefundable)),
    });
    check("refund", refund, expected);
    let expire = |payment: &mut Payment| {
        payment
            .expire(&Ladder::default(), at(DEADLINE))
            .map(|change| events(&change))
    };
    let expected = State::ALL.map(|state| match state {
        State::AwaitingCustomer => (State::Expired, Some(vec!["expired"])),
        other => (other, None),
    });
    check("deadline", expire, expected);
    assert_eq!(
        payment_in(State::AwaitingCustomer).expire(&Ladder::default(), at(DEADLINE - 1)),
        None,
        "not a second early"
    );
}

#[test]
fn money_after_a_cancel_and_a_wrong_amount_go_back_whole_and_are_not_announced() {
    let ladder = Ladder::default();
    let mut cancelled = payment_in(State::Unknown);
    assert!(
        cancelled
            .cancel(None, &Ladder::default(), at(3))
            .events
            .is_empty()
    );
    let change = cancelled
        .settle(1, approved(ASKED), &ladder, at(4))
        .unwrap();
    assert_eq!(
        (events(&change), change.refund.unwrap().amount),
        (vec![], won(ASKED))
    );

    let mut wrong = payment_in(State::Processing);
    let change = wrong.settle(1, approved(14_000), &ladder, at(4)).unwrap();
    assert_eq!(
        (events(&change), change.refund.unwrap().amount),
        (vec![], won(14_000))
    );
    assert_eq!(
        (wrong.captured_amount, wrong.refund_amount),
        (14_000, 14_000),
        "stored as it is"
    );
    let done = wrong.refunded(&row(&wrong.clone(), change.refund.unwrap()));
    assert_eq!(
        (wrong.state, events(&done)),
        (State::Refunded, vec!["refunded"])
    );
}

#[test]
fn a_retryable_decline_waits_for_the_buyer_and_another_card_may_do() {
    let ladder = Ladder::default();
    let mut payment = payment_in(State::Processing);
    let change = payment.settle(1, declined(true), &ladder, at(4)).unwrap();
    assert_eq!(
        (payment.state, events(&change)),
        (State::AwaitingCustomer, vec!["declined"])
    );
    assert_eq!(
        payment.confirm("key", won(ASKED), &ladder, at(5)),
        Ok(None),
        "this key was declined"
    );
    assert!(
        payment
            .confirm("other card", won(ASKED), &ladder, at(5))
            .unwrap()
            .is_some()
    );
    assert_eq!(payment.attempt.as_ref().unwrap().attempt_no, 2);
    assert!(
        payment.settle(1, unknown(), &ladder, at(6)).is_none(),
        "an old attempt says nothing about the new one"
    );
}

#[test]
fn nothing_sent_may_be_confirmed_again_with_the_same_key() {
    let ladder = Ladder::default();
    let mut payment = payment_in(State::Processing);
    let not_sent = NotSent {
        why: "refused".to_owned(),
    };
    assert!(
        payment
            .not_sent(1, &not_sent, &ladder, at(2))
            .unwrap()
            .events
            .is_empty()
    );
    assert_eq!(payment.state, State::AwaitingCustomer);
    assert!(
        payment
            .confirm("key", won(ASKED), &ladder, at(5))
            .unwrap()
            .is_some()
    );
    let mut cancelled = payment_in(State::Processing);
    let _ = cancelled.cancel(None, &Ladder::default(), at(2));
    assert_eq!(
        events(&cancelled.not_sent(1, &not_sent, &ladder, at(2)).unwrap()),
        ["cancelled"]
    );
}

#[test]
fn absence_needs_time_and_two_reads() {
    let ladder = Ladder::default();
    let mut payment = payment_in(State::Unknown);
    // Committed at 1 s, sent until 6 s: conclusive from 96 s on.
    for early in [3, 30, 95] {
        let _ = payment.found(Finding::Nothing, &ladder, at(early)).unwrap();
        assert_eq!(
            (
                payment.state,
                payment.attempt.as_ref().unwrap().absent_reads
            ),
            (State::Unknown, 0),
            "{early} s"
        );
    }
    let _ = payment.found(Finding::Nothing, &ladder, at(96)).unwrap();
    assert_eq!(payment.state, State::Unknown, "one read is not two");
    let (mut late, mut cancelled) = (payment.clone(), payment.clone());
    assert!(
        payment
            .found(Finding::Nothing, &ladder, at(120))
            .unwrap()
            .events
            .is_empty()
    );
    assert_eq!(payment.state, State::AwaitingCustomer);
    assert_eq!(
        events(&late.found(Finding::Nothing, &ladder, at(DEADLINE)).unwrap()),
        ["expired"]
    );
    let _ = cancelled.cancel(None, &Ladder::default(), at(100));
    assert_eq!(
        events(
            &cancelled
                .found(Finding::Nothing, &ladder, at(DEADLINE))
                .unwrap()
        ),
        ["cancelled"]
    );
}

#[test]
fn an_end_without_money_is_looked_back_at_and_late_money_goes_back_once() {
    let ladder = Ladder::default();
    let mut payment = payment_in(State::Unknown);
    let _ = payment.cancel(None, &ladder, at(3));
    for read in [96, 120] {
        let _ = payment.found(Finding::Nothing, &ladder, at(read)).unwrap();
    }
    assert_eq!(payment.state, State::Cancelled);
    // Sent until 6 s: 10 minutes, 1 hour and 24 hours from then. Silence is no look.
    for next in [606, 3_606, 86_406] {
        assert_eq!(payment.next_check_time, Some(at(next)));
        let why = "503".to_owned();
        let silence = Finding::Unknown { why };
        let _ = payment.found(silence, &ladder, at(next)).unwrap();
        assert_eq!(payment.next_check_time, Some(at(next + 600)));
        let again = payment.cancel(None, &ladder, at(next + 1));
        assert_eq!(
            (again.to, payment.next_check_time),
            (State::Cancelled, Some(at(next + 600)))
        );
        let change = payment.found(Finding::Nothing, &ladder, at(next)).unwrap();
        assert_eq!((change.to, change.events.len()), (State::Cancelled, 0));
    }
    assert_eq!(payment.next_check_time, None, "and no more");

    let captured = || Finding::Captured {
        payment_key: "an older key".to_owned(),
        amount: won(ASKED),
        refunds: Vec::new(),
    };
    let change = payment.found(captured(), &ladder, at(90_000)).unwrap();
    assert_eq!(events(&change), ["late"]);
    assert_eq!(
        change.refund.map(|refund| (refund.amount, refund.cause)),
        Some((won(ASKED), RefundCause::LateCapture))
    );
    assert_eq!(payment.refund_amount, ASKED);
    // Nothing was ever sent: nobody is asked.
    assert_eq!(payment_in(State::Cancelled).next_check_time, None);
    assert_eq!(payment_in(State::Expired).next_check_time, None);
}

#[test]
fn an_older_attempts_failure_does_not_decline_the_new_one() {
    let ladder = Ladder::default();
    let failed = |key: &str| Finding::Failed {
        payment_key: key.to_owned(),
        decline: Decline::stored("CODE", false),
    };
    let mut payment = payment_in(State::Unknown);
    let _ = payment
        .found(failed("an older key"), &ladder, at(5))
        .unwrap();
    assert_eq!(payment.state, State::Unknown);
    let _ = payment.found(failed("key"), &ladder, at(6)).unwrap();
    assert_eq!(payment.state, State::Declined);
}

#[test]
fn free_is_captured_at_once_and_cancelled_without_a_refund() {
    let mut payment = new_payment(Method::Free);
    assert_eq!(payment.state, State::Captured);
    assert_eq!(
        payment.refund(Uuid::from_u128(7), None),
        Err(Rejection::NotRefundable)
    );
    let change = payment.cancel(None, &Ladder::default(), at(1));
    assert_eq!(
        (payment.state, events(&change), change.refund),
        (State::Cancelled, vec!["cancelled"], None)
    );
}
