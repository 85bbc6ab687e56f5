//! Money on its way back to the buyer.

use chrono::{DateTime, Utc};
use mesh::money::Money;
use uuid::Uuid;

use super::event::Event;
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
    /// Refused; a person has to look.
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
    /// Sent to the provider with every try.
    pub idempotency_key: Uuid,
    /// Tries so far.
    pub attempts: i32,
    /// When it was decided.
    pub create_time: DateTime<Utc>,
}

impl NewRefund {
    /// The provider's idempotency key: it follows from the refund alone, so no two refunds share one and a replay after days is one.
    #[must_use]
    pub fn idempotency_key(&self) -> Uuid {
        mesh::id::derive(self.refund_id, "refund")
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

    /// The provider refused a refund for good.
    pub fn refund_parked(&mut self, refund: &RefundRow, reason: &str) -> Change {
        let event = Event::RefundParked {
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
}
