//! Random histories: commands, answers, inquiries, deadlines and refunds in any order, against a provider that took money at most once.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Confirm,
    Answer(u8),
    NotSent,
    Find(u8),
    Cancel,
    Deadline,
    Refund(i64),
    RefundDone,
    RefundParked,
    RetryRefund,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Confirm),
        3 => (0..5_u8).prop_map(Step::Answer),
        1 => Just(Step::NotSent),
        3 => (0..4_u8).prop_map(Step::Find),
        1 => Just(Step::Cancel),
        1 => Just(Step::Deadline),
        2 => (1..20_000_i64).prop_map(Step::Refund),
        2 => Just(Step::RefundDone),
        2 => Just(Step::RefundParked),
        2 => Just(Step::RetryRefund),
        2 => (1..200_i64).prop_map(Step::Wait),
    ]
}

#[derive(Default)]
struct History {
    now: i64,
    refunds: Vec<RefundRow>,
    parked: Vec<RefundRow>,
    announced: u32,
    taken: i64,
    returned: i64,
}

impl History {
    /// The provider takes money once an order; which answer gets through is another matter.
    fn outcome(&mut self, kind: u8, payment: &Payment) -> Option<Outcome> {
        match kind {
            0 | 1 if self.taken == 0 && payment.attempt.is_some() => {
                self.taken = if kind == 0 { ASKED } else { ASKED - 1 };
                Some(approved(self.taken))
            }
            2 if self.taken == 0 => Some(declined(true)),
            3 => Some(Outcome::Pending),
            4 => Some(unknown()),
            _ => None,
        }
    }

    fn finding(&self, kind: u8) -> Finding {
        match kind {
            0 if self.taken > 0 => Finding::Captured {
                payment_key: "key".to_owned(),
                amount: won(self.taken),
                refunds: Vec::new(),
            },
            1 if self.taken == 0 => Finding::Nothing,
            _ => Finding::Unknown {
                why: "503".to_owned(),
            },
        }
    }

    fn apply(&mut self, step: &Step, payment: &mut Payment) {
        let (ladder, now) = (Ladder::default(), at(self.now));
        let attempt_no = payment
            .attempt
            .as_ref()
            .map_or(0, |attempt| attempt.attempt_no);
        let change = match step {
            Step::Confirm => payment
                .confirm("key", won(ASKED), &ladder, now)
                .ok()
                .flatten(),
            Step::Answer(kind) => self
                .outcome(*kind, payment)
                .and_then(|outcome| payment.settle(attempt_no, outcome, &ladder, now)),
            Step::NotSent if self.taken == 0 => payment.not_sent(
                attempt_no,
                &NotSent {
                    why: "refused".to_owned(),
                },
                &ladder,
                now,
            ),
            Step::NotSent => None,
            Step::Find(kind) => payment.found(self.finding(*kind), &ladder, now),
            Step::Cancel => Some(payment.cancel(None, &Ladder::default(), now)),
            Step::Deadline => payment.expire(&Ladder::default(), now),
            Step::Refund(amount) => payment
                .refund(
                    Uuid::from_u128(1_000 + u128::from(self.now.unsigned_abs())),
                    Some(won(*amount)),
                )
                .ok(),
            Step::RefundDone => self.refunds.pop().map(|refund| {
                self.returned += refund.amount.minor_units;
                payment.refunded(&refund)
            }),
            Step::RefundParked => self.refunds.pop().map(|refund| {
                let change = payment.refund_parked(&refund, "REFUSED");
                self.parked.push(RefundRow {
                    state: RefundState::Parked,
                    park_time: Some(now),
                    ..refund
                });
                change
            }),
            Step::RetryRefund => self.parked.pop().map(|refund| {
                let (retried, change) = payment.retry_refund(&refund, &ladder, now).unwrap();
                self.refunds.push(retried);
                change
            }),
            Step::Wait(seconds) => {
                self.now += seconds;
                None
            }
        };
        if let Some(change) = change {
            let new = change.refund.map(|new| row(payment, new));
            self.refunds.extend(new);
            self.announced += change
                .events
                .iter()
                .map(|event| u32::from(matches!(event, Event::Captured { .. })))
                .sum::<u32>();
        }
        self.now += 1;
    }
}

fn check(payment: &Payment, history: &History) -> Result<(), TestCaseError> {
    prop_assert!(
        0 <= payment.refunded_amount && payment.refunded_amount <= payment.refund_amount,
        "{payment:?}"
    );
    prop_assert!(
        payment.refund_amount <= payment.captured_amount,
        "{payment:?}"
    );
    prop_assert_eq!(
        payment.refunded_amount,
        history.returned,
        "what went back is counted once"
    );
    prop_assert!(history.returned <= history.taken, "{payment:?}");
    let awaited = history.refunds.iter().chain(&history.parked);
    let awaited: i64 = awaited.map(|refund| refund.amount.minor_units).sum();
    prop_assert_eq!(
        payment.refund_amount,
        history.returned + awaited,
        "a parked refund is asked for"
    );
    prop_assert!(payment.captured_amount == 0 || payment.captured_amount == history.taken);
    prop_assert!(history.announced <= 1, "a capture is announced once");
    let kept = payment.captured_amount - payment.refund_amount;
    if payment.cancel_requested_time.is_some()
        || (payment.captured_amount > 0 && payment.captured_amount != ASKED)
    {
        prop_assert_eq!(kept, 0, "money that nobody may keep: {:?}", payment);
    }
    if matches!(
        payment.state,
        State::Declined | State::Cancelled | State::Expired
    ) {
        prop_assert_eq!(kept, 0);
    }
    if payment.state == State::Refunded {
        prop_assert_eq!(payment.refunded_amount, payment.captured_amount);
    }
    let awaited = matches!(payment.state, State::Processing | State::Unknown);
    let looked_back = payment.looks_back();
    prop_assert!(!awaited || payment.next_check_time.is_some());
    prop_assert!(
        payment.next_check_time.is_none() || awaited || looked_back,
        "somebody looks after it while it is awaited, and for late money"
    );
    Ok(())
}

proptest! {
    #[test]
    fn money_adds_up_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        let (mut payment, mut history) = (new_payment(Method::OnSite), History::default());
        for step in &steps {
            let before = payment.clone();
            history.apply(step, &mut payment);
            check(&payment, &history)?;
            let ended = matches!(before.state, State::Declined | State::Cancelled | State::Expired | State::Refunded);
            prop_assert!(!ended || payment.state == before.state, "{before:?} left an end by {step:?}");
            prop_assert!(payment.version >= before.version);
        }
    }

    /// Silence alone never ends a payment: only an answer, a proof of absence or nothing-was-sent does.
    #[test]
    fn silence_is_never_a_decline(reads in prop::collection::vec((0..3_u8, 1..1_000_i64), 1..40)) {
        let ladder = Ladder::default();
        let mut payment = payment_in(State::Processing);
        let mut now = 2;
        for (kind, wait) in reads {
            now += wait;
            let change = match kind {
                0 => payment.settle(1, unknown(), &ladder, at(now)),
                1 => payment.settle(1, Outcome::Pending, &ladder, at(now)),
                _ => payment.found(Finding::Unknown { why: "timeout".to_owned() }, &ladder, at(now)),
            };
            prop_assert!(change.unwrap().events.is_empty());
            prop_assert_eq!(payment.state, State::Unknown);
        }
    }
}
