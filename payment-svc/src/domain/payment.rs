//! A payment and the record of a change.

use chrono::{DateTime, Utc};
use mesh::money::Money;
use thiserror::Error;
use uuid::Uuid;

use super::attempt::{Attempt, AttemptState};
use super::event::Event;
use super::ladder::{Ladder, Rungs};
use super::refund::NewRefund;

/// How a payment is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The buyer authorises in the provider's widget and confirms here.
    OnSite,
    /// Nothing to pay.
    Free,
}

/// Where a payment stands; see the table in [`crate::domain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The buyer can confirm until the deadline.
    AwaitingCustomer,
    /// A confirmation is on its way.
    Processing,
    /// It was sent, and nobody knows.
    Unknown,
    /// The money is taken.
    Captured,
    /// Declined for good.
    Declined,
    /// Called off before money was taken.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// A part of the money went back.
    PartiallyRefunded,
    /// All the money went back.
    Refunded,
}

impl State {
    /// Every state, for tests and tables.
    pub const ALL: [Self; 9] = [
        Self::AwaitingCustomer,
        Self::Processing,
        Self::Unknown,
        Self::Captured,
        Self::Declined,
        Self::Cancelled,
        Self::Expired,
        Self::PartiallyRefunded,
        Self::Refunded,
    ];
}

/// Why a payment changed; the `cause` of payment_event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was created.
    Create,
    /// The buyer confirmed.
    Confirm,
    /// The provider answered a confirm, or did not.
    Answer,
    /// An inquiry told something.
    Inquiry,
    /// Its deadline passed.
    Deadline,
    /// Somebody made sure that no money stays.
    Cancel,
    /// Money goes back.
    Refund,
}

/// Why a change is refused. Nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Not confirmed in time.
    #[error("the payment expired")]
    Expired,
    /// Called off.
    #[error("the payment is cancelled")]
    Cancelled,
    /// Declined for good.
    #[error("the payment was declined")]
    Declined,
    /// Paid with another key.
    #[error("the payment is captured")]
    AlreadyCaptured,
    /// Another key's outcome is awaited.
    #[error("a confirmation is on its way")]
    InProgress,
    /// Another amount than the payment's.
    #[error("the amount is not the payment's")]
    AmountMismatch,
    /// Another currency than the payment's.
    #[error("the currency is not the payment's")]
    CurrencyMismatch,
    /// Nothing to return, or less than asked.
    #[error("there is not so much to refund")]
    NotRefundable,
    /// The refund is under way, or done.
    #[error("the refund is not parked")]
    RefundNotParked,
}

/// Money found after its payment had ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateCapture {
    /// Key of the payment at the provider.
    pub payment_key: String,
    /// What was captured.
    pub amount: Money,
    /// The refund that returns it.
    pub refund_id: Uuid,
}

/// What a change writes beside the payment itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change that is not saved did not happen"]
pub struct Change {
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// Details for people; no secrets.
    pub detail: String,
    /// Facts for others.
    pub events: Vec<Event>,
    /// A refund that was decided.
    pub refund: Option<NewRefund>,
    /// Money that came too late.
    pub late_capture: Option<LateCapture>,
}

impl Change {
    /// The same change, telling others.
    pub(super) fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// The same change with a refund.
    pub(super) fn refund(mut self, refund: NewRefund) -> Self {
        self.refund = Some(refund);
        self
    }

    /// The same change with money that came too late.
    pub(super) fn late(mut self, late: LateCapture) -> Self {
        self.late_capture = Some(late);
        self
    }
}

/// What is asked to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// Id, chosen by the caller; also the order id at the provider.
    pub payment_id: Uuid,
    /// Booking it pays.
    pub booking_id: Uuid,
    /// Account that may confirm.
    pub account_id: Uuid,
    /// How.
    pub method: Method,
    /// At whom; none for FREE.
    pub provider: Option<String>,
    /// What the provider shows to the buyer.
    pub order_name: String,
    /// What is asked.
    pub amount: Money,
    /// Until when it can be confirmed; none for FREE.
    pub expire_time: Option<DateTime<Utc>>,
}

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Id and order id at the provider.
    pub payment_id: Uuid,
    /// Booking it pays.
    pub booking_id: Uuid,
    /// Account that may confirm.
    pub account_id: Uuid,
    /// How it is made.
    pub method: Method,
    /// At whom; none for FREE.
    pub provider: Option<String>,
    /// What the provider shows to the buyer.
    pub order_name: String,
    /// What is asked.
    pub amount: Money,
    /// Minor units taken: the truth, also when it is another amount than asked.
    pub captured_amount: i64,
    /// Minor units that refunds ask for, done or not.
    pub refund_amount: i64,
    /// Minor units that went back.
    pub refunded_amount: i64,
    /// Key of the last attempt at the provider.
    pub payment_key: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Since when no money may stay.
    pub cancel_requested_time: Option<DateTime<Utc>>,
    /// Until when it can be confirmed.
    pub expire_time: Option<DateTime<Utc>>,
    /// When the provider is asked next.
    pub next_check_time: Option<DateTime<Utc>>,
    /// Inquiries of the present attempt.
    pub checks: Rungs,
    /// Raised by every change; the number of its payment_event.
    pub version: i64,
    /// When it was created.
    pub create_time: DateTime<Utc>,
    /// The last attempt.
    pub attempt: Option<Attempt>,
}

impl Payment {
    /// Opens a payment: FREE is captured at once, ON_SITE waits for its buyer.
    pub fn open(new: NewPayment, now: DateTime<Utc>) -> (Self, Change) {
        let state = match new.method {
            Method::OnSite => State::AwaitingCustomer,
            Method::Free => State::Captured,
        };
        let mut payment = Self {
            payment_id: new.payment_id,
            booking_id: new.booking_id,
            account_id: new.account_id,
            method: new.method,
            provider: new.provider,
            order_name: new.order_name,
            amount: new.amount,
            captured_amount: 0,
            refund_amount: 0,
            refunded_amount: 0,
            payment_key: None,
            state,
            cancel_requested_time: None,
            expire_time: new.expire_time,
            next_check_time: None,
            checks: 0,
            version: 0,
            create_time: now,
            attempt: None,
        };
        let change = payment.change(state, Cause::Create, String::new());
        let change = match payment.method {
            Method::OnSite => change,
            Method::Free => change.event(Event::Captured {
                amount: payment.amount,
            }),
        };
        (payment, change)
    }

    /// Whether the buyer may confirm, and the last attempt, with this key, is proven to have taken no money.
    #[must_use]
    pub fn took_nothing(&self, payment_key: &str) -> bool {
        let absent = self.attempt.as_ref().is_some_and(|attempt| {
            attempt.state == AttemptState::Absent && attempt.payment_key == payment_key
        });
        self.state == State::AwaitingCustomer && absent
    }

    /// Ends a payment that nobody confirmed in time. None when there is nothing to end.
    pub fn expire(&mut self, ladder: &Ladder, now: DateTime<Utc>) -> Option<Change> {
        let due = self.expire_time.is_some_and(|deadline| deadline <= now);
        if self.state != State::AwaitingCustomer || !due {
            return None;
        }
        let change = self.change(State::Expired, Cause::Deadline, String::new());
        Some(self.look_back(change.event(Event::Expired), ladder, now))
    }

    /// Makes sure that money which comes after the end is found, when something was ever sent.
    pub(super) fn look_back(
        &mut self,
        change: Change,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Change {
        if self.next_check_time.is_none()
            && self.looks_back()
            && let Some(attempt) = &self.attempt
        {
            self.next_check_time = ladder.look_back(attempt.last_send_time, now);
        }
        change
    }

    /// Whether it ended without money although something was sent. A decline answers its own attempt, not those before.
    pub(super) fn looks_back(&self) -> bool {
        match (&self.attempt, self.state) {
            (Some(_), State::Cancelled | State::Expired) => true,
            (Some(attempt), State::Declined) => attempt.attempt_no > 1,
            _ => false,
        }
    }

    /// Moves to `to` and counts the change.
    pub(super) fn change(&mut self, to: State, cause: Cause, detail: String) -> Change {
        let from = self.state;
        self.state = to;
        self.version += 1;
        let stays_ended = from == to && self.looks_back();
        if !matches!(to, State::Processing | State::Unknown) && !stays_ended {
            self.next_check_time = None;
            self.checks = 0;
        }
        Change {
            from,
            to,
            cause,
            detail,
            events: Vec::new(),
            refund: None,
            late_capture: None,
        }
    }
}
