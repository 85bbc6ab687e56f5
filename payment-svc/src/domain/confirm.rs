//! The buyer confirms what was authorised in the provider's widget.

use chrono::{DateTime, Utc};
use mesh::money::Money;

use super::attempt::{Attempt, AttemptState};
use super::ladder::Ladder;
use super::payment::{Cause, Change, Payment, Rejection, State};

impl Payment {
    /// Decides a confirmation with `payment_key`: a new attempt, or nothing (None) when this key's attempt has been made before.
    pub fn confirm(
        &mut self,
        payment_key: &str,
        amount: Money,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Result<Option<Change>, Rejection> {
        if amount.currency != self.amount.currency {
            return Err(Rejection::CurrencyMismatch);
        }
        if amount != self.amount {
            return Err(Rejection::AmountMismatch);
        }
        if self.tried(payment_key) {
            return Ok(None);
        }
        match self.state {
            State::AwaitingCustomer if self.expire_time.is_some_and(|deadline| deadline <= now) => {
                Err(Rejection::Expired)
            }
            State::AwaitingCustomer => Ok(Some(self.begin(payment_key, ladder, now))),
            State::Processing | State::Unknown => Err(Rejection::InProgress),
            State::Captured | State::PartiallyRefunded | State::Refunded => {
                Err(Rejection::AlreadyCaptured)
            }
            State::Declined => Err(Rejection::Declined),
            State::Cancelled => Err(Rejection::Cancelled),
            State::Expired => Err(Rejection::Expired),
        }
    }

    /// Whether the last attempt was with this key and told something; one that never reached the provider may be made again.
    fn tried(&self, payment_key: &str) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| {
            attempt.payment_key == payment_key && attempt.state != AttemptState::Absent
        })
    }

    fn begin(&mut self, payment_key: &str, ladder: &Ladder, now: DateTime<Utc>) -> Change {
        let attempt_no = self.attempt.as_ref().map_or(1, |last| last.attempt_no + 1);
        let attempt = Attempt::intent(
            self.payment_id,
            attempt_no,
            payment_key.to_owned(),
            self.amount.minor_units,
            (now, ladder.last_send(now)),
        );
        self.payment_key = Some(payment_key.to_owned());
        self.attempt = Some(attempt);
        let change = self.change(
            State::Processing,
            Cause::Confirm,
            format!("attempt {attempt_no}"),
        );
        // If this process dies now, somebody else asks the provider.
        self.next_check_time = Some(ladder.overdue(now));
        change
    }
}
