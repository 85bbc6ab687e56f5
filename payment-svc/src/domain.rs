//! What a payment is and how it may change. Pure: no IO, no clock, no randomness.
//!
//! | state | leaves it by |
//! |---|---|
//! | AWAITING_CUSTOMER | confirm -> PROCESSING; cancel -> CANCELLED; deadline -> EXPIRED |
//! | PROCESSING | the provider's answer; none in time -> UNKNOWN |
//! | UNKNOWN | an inquiry: captured, declined, or proven absent |
//! | CAPTURED, PARTIALLY_REFUNDED | refunds; cancel refunds what is left (nothing captured -> CANCELLED) |
//! | DECLINED, CANCELLED, EXPIRED, REFUNDED | never |
//!
//! A refund is PENDING, SENT, then DONE or PARKED; somebody makes a PARKED one PENDING again. Parked or not, it counts as asked for.
//!
//! Invariants: silence is never a decline ([`Outcome`] cannot be built so); an attempt is live at most once a payment; refunds never
//! exceed what was captured; captured money that nobody may keep (cancelled meanwhile, or another amount than asked) is refunded whole
//! by the very change that finds it.

mod attempt;
mod cancel;
mod confirm;
mod event;
mod inquire;
mod ladder;
mod outcome;
mod payment;
mod refund;
mod settle;

pub use attempt::{Attempt, AttemptState};
pub use event::Event;
pub use ladder::{Ladder, Rungs, SEND_WINDOW};
pub use outcome::{Answer, Decline, Finding, NotSent, Outcome, Refund, RefundOutcome};
pub use payment::{Cause, Change, LateCapture, Method, NewPayment, Payment, Rejection, State};
pub use refund::{NewRefund, Record, RefundCause, RefundRow, RefundState};

#[cfg(test)]
mod tests;
