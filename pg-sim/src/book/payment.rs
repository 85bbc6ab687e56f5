//! One payment: what a buyer authorised with one card, and what became of it.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{AMOUNT_MAX, Authorization, Cancellation, Refusal};

/// Cancels of one payment, as many as lines of a large booking.
const CANCELS_MAX: usize = 100;

/// Status words of Toss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    InProgress,
    Done,
    Canceled,
    PartialCanceled,
    Aborted,
    Expired,
}

impl Status {
    /// The word on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Done => "DONE",
            Self::Canceled => "CANCELED",
            Self::PartialCanceled => "PARTIAL_CANCELED",
            Self::Aborted => "ABORTED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// What the issuer will say when the shop confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The money moves.
    Approve,
    /// REJECT_CARD_PAYMENT: another card may do.
    DeclineRetry,
    /// FDS_ERROR: this buyer shall not try again.
    DeclineFinal,
    /// A decline with a code that no list of a shop has.
    DeclineUnlisted,
    /// The buyer took too long.
    Expire,
}

/// Why a payment was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// HTTP status of the refusal.
    pub(crate) http: u16,
    /// Code of Toss.
    pub(crate) code: &'static str,
    /// Sentence for people.
    pub(crate) message: &'static str,
}

const REJECTED: Failure = Failure {
    http: 403,
    code: "REJECT_CARD_PAYMENT",
    message: "The card's limit is exceeded or its balance is too low.",
};
const FRAUD: Failure = Failure {
    http: 403,
    code: "FDS_ERROR",
    message: "A risky transaction was detected and the payment is restricted.",
};
const UNLISTED: Failure = Failure {
    http: 400,
    code: "UNLISTED_DECLINE",
    message: "A decline that no published list has.",
};
const EXPIRED: Failure = Failure {
    http: 404,
    code: "NOT_FOUND_PAYMENT_SESSION",
    message: "The time to confirm is over.",
};

/// Money given back.
#[derive(Clone, Debug)]
pub(crate) struct Cancel {
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) at: DateTime<Utc>,
    /// What could still be cancelled after it.
    pub(crate) refundable_amount: i64,
}

/// One payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) payment_key: String,
    pub(crate) order_id: String,
    pub(crate) order_name: String,
    pub(crate) currency: String,
    pub(crate) total_amount: i64,
    pub(crate) balance_amount: i64,
    pub(crate) status: Status,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) approved_at: Option<DateTime<Utc>>,
    pub(crate) cancels: Vec<Cancel>,
    pub(crate) failure: Option<Failure>,
    outcome: Outcome,
    before: Option<Box<Self>>,
}

impl Payment {
    /// What a buyer authorised just now.
    pub(crate) fn authorized(
        payment_key: String,
        asked: Authorization,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            payment_key,
            order_id: asked.order_id,
            order_name: asked.order_name,
            currency: asked.currency,
            total_amount: asked.amount,
            balance_amount: asked.amount,
            status: Status::InProgress,
            requested_at: now,
            approved_at: None,
            cancels: Vec::new(),
            failure: None,
            outcome: asked.outcome,
            before: None,
        }
    }

    /// Whether money was taken, given back since or not.
    pub(crate) fn was_captured(&self) -> bool {
        self.approved_at.is_some()
    }

    /// Whether a confirm with `amount` would take money.
    pub(crate) fn would_capture(&self, amount: i64) -> bool {
        self.status == Status::InProgress
            && self.outcome == Outcome::Approve
            && amount == self.total_amount
            && amount <= AMOUNT_MAX
    }

    /// The payment as it was before its last change, for an inquiry that reads an old copy.
    pub(crate) fn before_last_change(&self) -> Self {
        self.before.as_deref().unwrap_or(self).clone()
    }

    /// Takes the money, `captured` of it, or fails as the issuer says.
    pub(crate) fn confirm(
        &mut self,
        amount: i64,
        captured: i64,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        match self.status {
            Status::InProgress => {}
            Status::Expired => return Err(Refusal::SessionExpired),
            Status::Done | Status::Canceled | Status::PartialCanceled | Status::Aborted => {
                return Err(Refusal::AlreadyProcessed);
            }
        }
        if amount > AMOUNT_MAX {
            return Err(Refusal::ExceedMaxAmount);
        }
        if amount != self.total_amount {
            return Err(Refusal::Invalid("amount is not the payment's"));
        }
        let (failure, status) = match self.outcome {
            Outcome::Approve => {
                self.remember();
                self.status = Status::Done;
                self.total_amount = captured;
                self.balance_amount = captured;
                self.approved_at = Some(now);
                return Ok(());
            }
            Outcome::DeclineRetry => (REJECTED, Status::Aborted),
            Outcome::DeclineFinal => (FRAUD, Status::Aborted),
            Outcome::DeclineUnlisted => (UNLISTED, Status::Aborted),
            Outcome::Expire => (EXPIRED, Status::Expired),
        };
        self.remember();
        self.status = status;
        self.failure = Some(failure);
        Err(if status == Status::Expired {
            Refusal::SessionExpired
        } else {
            Refusal::Declined(failure)
        })
    }

    /// Gives money back; answers how much.
    pub(crate) fn cancel(
        &mut self,
        asked: &Cancellation,
        now: DateTime<Utc>,
    ) -> Result<i64, Refusal> {
        match self.status {
            Status::Done | Status::PartialCanceled => {}
            Status::Canceled => return Err(Refusal::AlreadyCanceled),
            Status::InProgress | Status::Aborted | Status::Expired => {
                return Err(Refusal::NotCancelable);
            }
        }
        let amount = asked.amount.unwrap_or(self.balance_amount);
        if amount > self.balance_amount {
            return Err(Refusal::NotCancelableAmount);
        }
        if self.cancels.len() >= CANCELS_MAX {
            return Err(Refusal::Full("cancels of the payment"));
        }
        self.remember();
        self.balance_amount -= amount;
        self.status = if self.balance_amount == 0 {
            Status::Canceled
        } else {
            Status::PartialCanceled
        };
        self.cancels.push(Cancel {
            amount,
            reason: asked.reason.clone(),
            at: now,
            refundable_amount: self.balance_amount,
        });
        Ok(amount)
    }

    fn remember(&mut self) {
        let mut copy = self.clone();
        copy.before = None;
        self.before = Some(Box::new(copy));
    }
}
