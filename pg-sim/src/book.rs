//! Every order with its payments, what happened to their money, and the answers kept for idempotency keys. Pure: no clock, no IO.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

mod keys;
mod order;
mod payment;

pub(crate) use keys::{KeyState, Keys, Scope};
pub(crate) use order::{Order, Totals};
pub(crate) use payment::{Cancel, Failure, Outcome, Payment, Status};

use crate::fault::{Fault, Operation};

/// Orders kept at once, about 2 KB each: more than a long benchmark makes, and under 1 GB.
const ORDERS_MAX: usize = 200_000;
/// Authorisations of one order: a buyer who tries many cards, not a loop.
const PAYMENTS_MAX: usize = 20;
/// Largest amount of one payment in minor units; above it the gateway answers EXCEED_MAX_AMOUNT.
pub(crate) const AMOUNT_MAX: i64 = 10_000_000_000;

/// Owner of every payment key, so that one order's keys are the same in every run.
const PAYMENT_KEYS: Uuid = Uuid::from_u128(0x5b1d_6cf0_7f5a_4d0e_9a53_2f0c_1f9e_7a10);

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// For what people read.
    pub(crate) wall: DateTime<Utc>,
    /// For spans.
    pub(crate) tick: Instant,
}

/// Why the book did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such payment.
    NotFound,
    /// The buyer took too long.
    SessionExpired,
    /// The payment was confirmed, declined or cancelled before.
    AlreadyProcessed,
    /// Another payment of the order was captured.
    DuplicatedOrder,
    /// The request contradicts the payment.
    Invalid(&'static str),
    /// More than the gateway takes at once.
    ExceedMaxAmount,
    /// The issuer refuses.
    Declined(Failure),
    /// All of it was cancelled before.
    AlreadyCanceled,
    /// A payment in this state, or refused by a fault, cannot be cancelled.
    NotCancelable,
    /// More than is left.
    NotCancelableAmount,
    /// A bound of the simulator is reached; nothing happened.
    Full(&'static str),
}

/// What a robot buyer authorises.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) order_id: String,
    pub(crate) order_name: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) outcome: Outcome,
}

/// What a shop asks to confirm.
#[derive(Clone, Debug)]
pub(crate) struct Confirmation {
    pub(crate) payment_key: String,
    pub(crate) order_id: String,
    pub(crate) amount: i64,
}

/// What a shop asks to give back; `amount` absent means all that is left.
#[derive(Clone, Debug)]
pub(crate) struct Cancellation {
    pub(crate) payment_key: String,
    pub(crate) reason: String,
    pub(crate) amount: Option<i64>,
}

/// The whole memory of the simulator.
#[derive(Debug, Default)]
pub(crate) struct Book {
    orders: BTreeMap<String, Order>,
    order_of: HashMap<String, String>,
    pub(crate) keys: Keys,
}

impl Book {
    /// The order, opened when it is new.
    pub(crate) fn open(&mut self, order_id: &str) -> Result<&mut Order, Refusal> {
        if !self.orders.contains_key(order_id) && self.orders.len() >= ORDERS_MAX {
            return Err(Refusal::Full("orders"));
        }
        Ok(self.orders.entry(order_id.to_owned()).or_default())
    }

    /// The order, if it was ever opened.
    pub(crate) fn order(&self, order_id: &str) -> Option<&Order> {
        self.orders.get(order_id)
    }

    /// The order, to count a call or to fire a fault.
    pub(crate) fn order_mut(&mut self, order_id: &str) -> Option<&mut Order> {
        self.orders.get_mut(order_id)
    }

    /// Every order whose id is above `after`, in order of id.
    pub(crate) fn orders_after(&self, after: &str) -> impl Iterator<Item = (&String, &Order)> {
        let above = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.orders.range::<str, _>(above)
    }

    /// Sums over all orders, by currency.
    pub(crate) fn totals(&self) -> BTreeMap<String, Totals> {
        let mut sums: BTreeMap<String, Totals> = BTreeMap::new();
        for order in self.orders.values() {
            if let Some(currency) = order.currency() {
                sums.entry(currency.to_owned())
                    .or_default()
                    .add(&order.totals());
            }
        }
        sums
    }

    /// The order a payment key belongs to.
    pub(crate) fn order_of(&self, payment_key: &str) -> Option<&str> {
        self.order_of.get(payment_key).map(String::as_str)
    }

    /// A buyer authorises a payment; answers its key.
    pub(crate) fn authorize(
        &mut self,
        asked: Authorization,
        now: DateTime<Utc>,
    ) -> Result<String, Refusal> {
        let order_id = asked.order_id.clone();
        let order = self.open(&order_id)?;
        if order.payments.len() >= PAYMENTS_MAX {
            return Err(Refusal::Full("payments of the order"));
        }
        let name = format!("{order_id}/{}", order.payments.len());
        let payment_key = format!("tsim_{}", mesh::id::derive(PAYMENT_KEYS, &name).simple());
        order
            .payments
            .push(Payment::authorized(payment_key.clone(), asked, now));
        self.order_of.insert(payment_key.clone(), order_id);
        Ok(payment_key)
    }

    /// A shop confirms: the money moves, or the refusal says why not.
    pub(crate) fn confirm(
        &mut self,
        asked: &Confirmation,
        header: Option<&Fault>,
        now: Now,
    ) -> Result<Payment, Refusal> {
        let order_id = self
            .order_of(&asked.payment_key)
            .ok_or(Refusal::NotFound)?
            .to_owned();
        if order_id != asked.order_id {
            return Err(Refusal::Invalid("orderId is not the payment's"));
        }
        let order = self.order_mut(&order_id).ok_or(Refusal::NotFound)?;
        order.confirm(asked, header, now)
    }

    /// A shop gives money back.
    pub(crate) fn cancel(
        &mut self,
        asked: &Cancellation,
        header: Option<&Fault>,
        now: Now,
    ) -> Result<Payment, Refusal> {
        let order_id = self
            .order_of(&asked.payment_key)
            .ok_or(Refusal::NotFound)?
            .to_owned();
        let order = self.order_mut(&order_id).ok_or(Refusal::NotFound)?;
        order.cancel(asked, header, now)
    }

    /// What the shop may see of an order: the payment of `payment_key`, or without one the captured payment, else the last one.
    /// A twist may hide it or show it as it was.
    pub(crate) fn inquire(
        &mut self,
        order_id: &str,
        payment_key: Option<&str>,
        header: Option<&Fault>,
        now: Now,
    ) -> Result<Payment, Refusal> {
        let order = self.order_mut(order_id).ok_or(Refusal::NotFound)?;
        let twist = header
            .cloned()
            .or_else(|| order.faults.take_twist(Operation::Inquire, now.tick));
        let payment = match payment_key {
            Some(key) => order
                .payments
                .iter()
                .find(|payment| payment.payment_key == key),
            None => order.shown(),
        };
        let payment = payment.ok_or(Refusal::NotFound)?;
        match twist {
            Some(Fault::Absent { .. }) => Err(Refusal::NotFound),
            Some(Fault::Stale { .. }) => Ok(payment.before_last_change()),
            _ => Ok(payment.clone()),
        }
    }
}
