//! Money on its way back to the buyer.

use chrono::{DateTime, Utc};
use mesh::money::Money;
use uuid::Uuid;

use super::event::Event;
use super::ladder::Ladder;
use super::outcome::Finding;
use super::payment::{Cause, Change, Payment, Rejection, State};

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundCause {
    /// Nobody may keep it: the payment was cancelled, or another amount was captured than asked.
    Undo,
    /// It was found after the payment had ended.
    LateCapture,
    /// Somebody asked for it.
    Operator,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// To be sent.
    Pending,
    /// Sent; the answer is awaited, or never came.
    Sent,
    /// The money went back.
    Done,
    /// Refused, or without an answer until its key ran out; a person has to look.
    Parked,
}

/// A refund that is decided; its row is inserted with the change that raised [`Payment::refund_amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRefund {
    /// Id; the provider's idempotency key follows from it.
    pub refund_id: Uuid,
    /// What goes back.
    pub amount: Money,
    /// Why.
    pub cause: RefundCause,
}

/// A refund as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRow {
    /// Id.
    pub refund_id: Uuid,
    /// Payment.
    pub payment_id: Uuid,
    /// What goes back.
    pub amount: Money,
    /// Why.
    pub cause: RefundCause,
    /// Where it stands.
    pub state: RefundState,
    /// Sent to the provider with every try, until somebody retries it after it was parked.
    pub idempotency_key: Uuid,
    /// Since when the key may have been used.
    pub key_time: DateTime<Utc>,
    /// Tries so far.
    pub attempts: i32,
    /// How often somebody retried it after it was parked.
    pub retries: i32,
    /// Since when it is parked; unknown where an older version parked it.
    pub park_time: Option<DateTime<Utc>>,
    /// Why the last try did not end it.
    pub last_error: Option<String>,
    /// When it was decided.
    pub create_time: DateTime<Utc>,
}

/// What the provider's record says about a refund that may have been sent before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The money went back.
    Shown,
    /// No such refund: it may be sent.
    Absent,
    /// It is a record of other money, which proves nothing.
    OfAnother,
    /// It tells nothing now.
    Unread {
        /// Why, in a few words.
        why: String,
    },
}

impl NewRefund {
    /// The provider's idempotency key: it follows from the refund alone, so no two refunds share one and a replay after days is one.
    #[must_use]
    pub fn idempotency_key(&self) -> Uuid {
        key(self.refund_id, 0)
    }
}

/// Key of a refund after so many retries.
fn key(refund_id: Uuid, retries: i32) -> Uuid {
    match retries {
        0 => mesh::id::derive(refund_id, "refund"),
        _ => mesh::id::derive(refund_id, format!("refund/{retries}")),
    }
}

impl RefundRow {
    /// Reads what an inquiry about the order found, for a refund of the payment with this key of the provider.
    #[must_use]
    pub fn look_up(&self, payment_key: &str, finding: Finding) -> Record {
        match finding {
            Finding::Captured { refunds, .. }
                if refunds
                    .iter()
                    .any(|done| done.refund_id == Some(self.refund_id)) =>
            {
                Record::Shown
            }
            // The first key protects itself; a later one is only as good as the proof that those before it did nothing.
            Finding::Captured {
                payment_key: shown, ..
            } if self.retries > 0 && shown != payment_key => Record::OfAnother,
            Finding::Captured { .. } => Record::Absent,
            Finding::Unknown { why } => Record::Unread { why },
            Finding::Failed { .. } | Finding::Nothing => Record::Unread {
                why: "the provider does not show the captured payment".to_owned(),
            },
        }
    }
}

impl Payment {
    /// Minor units that were captured and that no refund has asked for.
    #[must_use]
    pub fn refundable(&self) -> i64 {
        self.captured_amount - self.refund_amount
    }

    /// Decides a refund that somebody asked for: `amount`, or all that is left.
    pub fn refund(&mut self, refund_id: Uuid, amount: Option<Money>) -> Result<Change, Rejection> {
        if !matches!(self.state, State::Captured | State::PartiallyRefunded) {
            return Err(Rejection::NotRefundable);
        }
        let left = self.refundable();
        let asked = match amount {
            None => left,
            Some(money) if money.currency != self.amount.currency => {
                return Err(Rejection::CurrencyMismatch);
            }
            Some(money) => money.minor_units,
        };
        if asked <= 0 || asked > left {
            return Err(Rejection::NotRefundable);
        }
        self.refund_amount += asked;
        let amount = Money::new(asked, self.amount.currency);
        let refund = NewRefund {
            refund_id,
            amount,
            cause: RefundCause::Operator,
        };
        Ok(self
            .change(
                self.state,
                Cause::Refund,
                format!("refund {refund_id} of {amount}"),
            )
            .refund(refund))
    }

    /// A refund went back to the buyer.
    pub fn refunded(&mut self, refund: &RefundRow) -> Change {
        self.refunded_amount += refund.amount.minor_units;
        let in_full = self.refunded_amount == self.captured_amount;
        let state = match self.state {
            State::Captured | State::PartiallyRefunded if in_full => State::Refunded,
            State::Captured | State::PartiallyRefunded => State::PartiallyRefunded,
            // A late capture changes the money, not how the payment ended.
            ended => ended,
        };
        let event = Event::Refunded {
            refund_id: refund.refund_id,
            amount: refund.amount,
            in_full,
        };
        self.change(
            state,
            Cause::Refund,
            format!("refund {} is done", refund.refund_id),
        )
        .event(event)
    }

    /// The provider refused a refund for good, or its key ran out.
    pub fn refund_parked(&mut self, refund: &RefundRow, reason: &str) -> Change {
        let event = Event::RefundParked {
            refund_id: refund.refund_id,
            amount: refund.amount,
            reason: reason.to_owned(),
        };
        self.change(
            self.state,
            Cause::Refund,
            format!("refund {} is parked: {reason}", refund.refund_id),
        )
        .event(event)
    }

    /// Sends a parked refund again, with a new key: a refused one answers its refusal for ever. The amount stays counted in
    /// [`Payment::refund_amount`], so nothing is decided anew, and [`RefundRow::look_up`] comes before the sending.
    pub fn retry_refund(
        &mut self,
        parked: &RefundRow,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Result<(RefundRow, Change), Rejection> {
        if parked.state != RefundState::Parked {
            return Err(Rejection::RefundNotParked);
        }
        let retries = parked.retries + 1;
        // Whatever was sent with an older key was sent before it was parked: from then on its absence can be read.
        let due = ladder.conclusive(parked.park_time.unwrap_or(now)).max(now);
        let refund = RefundRow {
            state: RefundState::Pending,
            idempotency_key: key(parked.refund_id, retries),
            key_time: due,
            retries,
            park_time: None,
            ..parked.clone()
        };
        let detail = format!(
            "refund {} is tried again, retry {retries}",
            parked.refund_id
        );
        Ok((refund, self.change(self.state, Cause::Refund, detail)))
    }
}
