//! One order: its payments, its faults, and everything that truly happened to its money.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Cancellation, Confirmation, Now, Payment, Refusal};
use crate::fault::{Fault, Faults, Operation};

/// What happened to money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EffectKind {
    /// Money was taken.
    Captured,
    /// Money went back.
    Refunded,
    /// The issuer refused; no money moved.
    Declined,
}

/// One entry of the truth, in the order in which it happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Effect {
    pub(crate) kind: EffectKind,
    pub(crate) payment_key: String,
    pub(crate) amount: i64,
    pub(crate) at: DateTime<Utc>,
}

/// Requests that reached the order, those included that a fault broke before they had an effect.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Calls {
    confirm: u32,
    inquire: u32,
    cancel: u32,
}

/// Sums of effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Money taken.
    pub(crate) captured: i64,
    /// Money given back.
    pub(crate) refunded: i64,
    /// How often money was taken.
    pub(crate) captures: u32,
    /// How often money was given back.
    pub(crate) refunds: u32,
}

impl Totals {
    /// Adds another order's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.captured = self.captured.saturating_add(other.captured);
        self.refunded = self.refunded.saturating_add(other.refunded);
        self.captures = self.captures.saturating_add(other.captures);
        self.refunds = self.refunds.saturating_add(other.refunds);
    }
}

/// One order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) payments: Vec<Payment>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
}

impl Order {
    /// Counts a request; answers how many of its kind came before.
    pub(crate) fn count(&mut self, on: Operation) -> u32 {
        let calls = match on {
            Operation::Confirm => &mut self.calls.confirm,
            Operation::Inquire => &mut self.calls.inquire,
            Operation::Cancel => &mut self.calls.cancel,
        };
        let before = *calls;
        *calls = calls.saturating_add(1);
        before
    }

    /// The payment an inquiry by order id shows: the captured one, else the last.
    pub(crate) fn shown(&self) -> Option<&Payment> {
        self.payments
            .iter()
            .find(|payment| payment.was_captured())
            .or(self.payments.last())
    }

    /// Currency of the order, once a buyer authorised.
    pub(crate) fn currency(&self) -> Option<&str> {
        self.payments
            .first()
            .map(|payment| payment.currency.as_str())
    }

    /// Sums of what happened.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for effect in &self.effects {
            match effect.kind {
                EffectKind::Captured => totals.add(&Totals {
                    captured: effect.amount,
                    captures: 1,
                    ..Totals::default()
                }),
                EffectKind::Refunded => totals.add(&Totals {
                    refunded: effect.amount,
                    refunds: 1,
                    ..Totals::default()
                }),
                EffectKind::Declined => {}
            }
        }
        totals
    }

    /// Takes the money of one payment, unless another of the order was captured.
    pub(crate) fn confirm(
        &mut self,
        asked: &Confirmation,
        header: Option<&Fault>,
        now: Now,
    ) -> Result<Payment, Refusal> {
        let other = self
            .payments
            .iter()
            .any(|payment| payment.was_captured() && payment.payment_key != asked.payment_key);
        if other {
            return Err(Refusal::DuplicatedOrder);
        }
        let payment = self
            .payments
            .iter_mut()
            .find(|payment| payment.payment_key == asked.payment_key)
            .ok_or(Refusal::NotFound)?;
        let mut captured = asked.amount;
        if payment.would_capture(asked.amount) {
            let twist = header
                .cloned()
                .or_else(|| self.faults.take_twist(Operation::Confirm, now.tick));
            if let Some(Fault::WrongAmount { amount }) = twist {
                captured = amount;
            }
        }
        let outcome = payment.confirm(asked.amount, captured, now.wall);
        let kind = match outcome {
            Ok(()) => EffectKind::Captured,
            Err(Refusal::Declined(_)) => EffectKind::Declined,
            Err(refusal) => return Err(refusal),
        };
        let payment = payment.clone();
        self.effects.push(Effect {
            kind,
            payment_key: payment.payment_key.clone(),
            amount: payment.total_amount,
            at: now.wall,
        });
        outcome.map(|()| payment)
    }

    /// Gives money of one payment back, unless a fault refuses.
    pub(crate) fn cancel(
        &mut self,
        asked: &Cancellation,
        header: Option<&Fault>,
        now: Now,
    ) -> Result<Payment, Refusal> {
        let payment = self
            .payments
            .iter_mut()
            .find(|payment| payment.payment_key == asked.payment_key)
            .ok_or(Refusal::NotFound)?;
        let twist = header
            .cloned()
            .or_else(|| self.faults.take_twist(Operation::Cancel, now.tick));
        if twist == Some(Fault::RefuseCancel) {
            return Err(Refusal::NotCancelable);
        }
        let amount = payment.cancel(asked, now.wall)?;
        let payment = payment.clone();
        self.effects.push(Effect {
            kind: EffectKind::Refunded,
            payment_key: payment.payment_key.clone(),
            amount,
            at: now.wall,
        });
        Ok(payment)
    }
}
