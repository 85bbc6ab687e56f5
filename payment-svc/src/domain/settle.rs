//! An outcome meets the payment it belongs to, however late it comes.

use chrono::{DateTime, Utc};
use mesh::money::{Currency, Money};

use super::attempt::AttemptState;
use super::event::Event;
use super::ladder::Ladder;
use super::outcome::{Decline, NotSent, Outcome};
use super::payment::{Cause, Change, LateCapture, Payment, State};
use super::refund::{NewRefund, RefundCause};

impl Payment {
    /// The provider's answer to attempt `attempt_no`. None when it changes nothing.
    pub fn settle(
        &mut self,
        attempt_no: i32,
        outcome: Outcome,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Option<Change> {
        let change = self.settle_open(attempt_no, outcome, ladder, now)?;
        Some(self.look_back(change, ladder, now))
    }

    fn settle_open(
        &mut self,
        attempt_no: i32,
        outcome: Outcome,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Option<Change> {
        match outcome {
            Outcome::Approved {
                payment_key,
                amount,
            } => self.captured(&payment_key, amount, Cause::Answer),
            Outcome::Declined(decline) => self
                .is_awaited(attempt_no)
                .then(|| self.declined(decline, Cause::Answer)),
            Outcome::Pending => self
                .is_awaited(attempt_no)
                .then(|| self.unknown(AttemptState::Pending, "pending", ladder, now)),
            Outcome::Unknown { why } => self
                .is_awaited(attempt_no)
                .then(|| self.unknown(AttemptState::Unknown, &why, ladder, now)),
        }
    }

    /// Nothing of attempt `attempt_no` reached the provider.
    pub fn not_sent(
        &mut self,
        attempt_no: i32,
        not_sent: &NotSent,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Option<Change> {
        self.is_awaited(attempt_no).then(|| {
            self.mark(AttemptState::Absent);
            let why = format!("not sent: {}", not_sent.why);
            let change = self.without_money(Cause::Answer, why);
            self.look_back(change, ladder, now)
        })
    }

    /// Whether the outcome of this attempt is still open.
    fn is_awaited(&self, attempt_no: i32) -> bool {
        let open = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.attempt_no == attempt_no && attempt.state.is_open());
        open && matches!(self.state, State::Processing | State::Unknown)
    }

    fn mark(&mut self, state: AttemptState) {
        if let Some(attempt) = &mut self.attempt {
            attempt.state = state;
        }
    }

    fn unknown(
        &mut self,
        attempt: AttemptState,
        why: &str,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Change {
        self.mark(attempt);
        let change = self.change(State::Unknown, Cause::Answer, why.to_owned());
        self.next_check_time = Some(ladder.next(self.checks, now));
        change
    }

    /// Money was taken. Whoever may not keep it gives it back in the same change.
    pub(super) fn captured(
        &mut self,
        payment_key: &str,
        amount: Money,
        cause: Cause,
    ) -> Option<Change> {
        if self.captured_amount > 0 && self.payment_key.as_deref() == Some(payment_key) {
            return None;
        }
        if !matches!(
            self.state,
            State::AwaitingCustomer | State::Processing | State::Unknown
        ) {
            return Some(self.late(payment_key, amount, cause));
        }
        if let Some(attempt) = self
            .attempt
            .as_mut()
            .filter(|attempt| attempt.payment_key == payment_key)
        {
            attempt.state = AttemptState::Approved;
            attempt.decline = None;
        }
        self.payment_key = Some(payment_key.to_owned());
        self.captured_amount = amount.minor_units;
        let change = self.change(State::Captured, cause, format!("captured {amount}"));
        if self.cancel_requested_time.is_some() || amount != self.amount {
            return Some(self.undo(change, amount.currency, RefundCause::Undo));
        }
        Some(change.event(Event::Captured { amount }))
    }

    /// Money for a payment that had ended, or a second time: it goes back whole, whatever becomes of the rest.
    fn late(&mut self, payment_key: &str, amount: Money, cause: Cause) -> Change {
        self.captured_amount += amount.minor_units;
        self.refund_amount += amount.minor_units;
        let refund_id = mesh::id::derive(self.payment_id, format!("late/{payment_key}"));
        let late = LateCapture {
            payment_key: payment_key.to_owned(),
            amount,
            refund_id,
        };
        self.change(self.state, cause, format!("late capture of {amount}"))
            .refund(NewRefund {
                refund_id,
                amount,
                cause: RefundCause::LateCapture,
            })
            .late(late)
            .event(Event::LateCaptureFound { amount })
    }

    /// Adds the refund of everything that no other refund asks for. Its id follows from the payment, so it exists once.
    pub(super) fn undo(
        &mut self,
        change: Change,
        currency: Currency,
        cause: RefundCause,
    ) -> Change {
        let left = self.refundable();
        self.refund_amount += left;
        let refund_id = mesh::id::derive(self.payment_id, "undo");
        change.refund(NewRefund {
            refund_id,
            amount: Money::new(left, currency),
            cause,
        })
    }

    pub(super) fn declined(&mut self, decline: Decline, cause: Cause) -> Change {
        self.mark(AttemptState::Declined);
        let detail = format!("declined: {}", decline.code());
        let customer_may_retry = decline.customer_may_retry();
        let provider_code = decline.code().to_owned();
        if let Some(attempt) = &mut self.attempt {
            attempt.decline = Some(decline);
        }
        if self.cancel_requested_time.is_some() {
            return self
                .change(State::Cancelled, cause, detail)
                .event(Event::Cancelled);
        }
        let state = if customer_may_retry {
            State::AwaitingCustomer
        } else {
            State::Declined
        };
        let event = Event::Declined {
            amount: self.amount,
            provider_code,
            customer_may_retry,
        };
        self.change(state, cause, detail).event(event)
    }

    /// The attempt took no money: the buyer may try again (the deadline is the sweeper's), unless no money may stay.
    pub(super) fn without_money(&mut self, cause: Cause, detail: String) -> Change {
        if self.cancel_requested_time.is_some() {
            return self
                .change(State::Cancelled, cause, detail)
                .event(Event::Cancelled);
        }
        self.change(State::AwaitingCustomer, cause, detail)
    }
}
