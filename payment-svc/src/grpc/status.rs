//! The one map from this service's errors to a status.

use std::time::Duration;

use mesh::pg::TxError;
use mesh::status::{
    DEPENDENCY_DOWN, INVALID_REQUEST, OVERLOADED, REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, Reason,
    Violations, internal,
};
use tonic::{Code, Status};

use crate::app::{Error, Refusal};
use crate::domain::Rejection;

/// No such payment, or somebody else's.
pub const PAYMENT_NOT_FOUND: Reason = Reason::new(
    "PAYMENT_NOT_FOUND",
    Code::NotFound,
    "there is no such payment for this caller",
);
/// Not confirmed in time.
pub const PAYMENT_EXPIRED: Reason = Reason::new(
    "PAYMENT_EXPIRED",
    Code::FailedPrecondition,
    "it was not confirmed in time; start a new booking",
);
/// Called off.
pub const PAYMENT_CANCELLED: Reason = Reason::new(
    "PAYMENT_CANCELLED",
    Code::FailedPrecondition,
    "it was called off; start a new booking",
);
/// Declined for good.
pub const PAYMENT_DECLINED: Reason = Reason::new(
    "PAYMENT_DECLINED",
    Code::FailedPrecondition,
    "it was declined for good; start a new booking",
);
/// Paid with another key.
pub const PAYMENT_ALREADY_CAPTURED: Reason = Reason::new(
    "PAYMENT_ALREADY_CAPTURED",
    Code::FailedPrecondition,
    "it is paid; do not pay again",
);
/// Nothing to return.
pub const PAYMENT_NOT_REFUNDABLE: Reason = Reason::new(
    "PAYMENT_NOT_REFUNDABLE",
    Code::FailedPrecondition,
    "less than asked is left to refund",
);
/// No such refund.
pub const REFUND_NOT_FOUND: Reason = Reason::new(
    "REFUND_NOT_FOUND",
    Code::NotFound,
    "there is no such refund; GetPayment shows those of a payment",
);
/// Under way, or done.
pub const REFUND_NOT_PARKED: Reason = Reason::new(
    "REFUND_NOT_PARKED",
    Code::FailedPrecondition,
    "it is under way, or the money is back; GetPayment shows where it stands",
);
/// Another amount.
pub const PAYMENT_AMOUNT_MISMATCH: Reason = Reason::new(
    "PAYMENT_AMOUNT_MISMATCH",
    Code::InvalidArgument,
    "send the amount of the payment",
);
/// Another currency.
pub const CURRENCY_MISMATCH: Reason = Reason::new(
    "CURRENCY_MISMATCH",
    Code::InvalidArgument,
    "send the currency of the payment",
);
/// No such provider.
pub const PAYMENT_METHOD_NOT_ALLOWED: Reason = Reason::new(
    "PAYMENT_METHOD_NOT_ALLOWED",
    Code::InvalidArgument,
    "choose a method and provider that are served",
);
/// The key of another payment.
pub const PAYMENT_KEY_USED: Reason = Reason::new(
    "PAYMENT_KEY_USED",
    Code::AlreadyExists,
    "this payment_key belongs to another payment",
);

/// The reasons of this service, for docs/ERRORS.md.
pub const REASONS: &[&Reason] = &[
    &PAYMENT_NOT_FOUND,
    &PAYMENT_EXPIRED,
    &PAYMENT_CANCELLED,
    &PAYMENT_DECLINED,
    &PAYMENT_ALREADY_CAPTURED,
    &PAYMENT_NOT_REFUNDABLE,
    &REFUND_NOT_FOUND,
    &REFUND_NOT_PARKED,
    &PAYMENT_AMOUNT_MISMATCH,
    &CURRENCY_MISMATCH,
    &PAYMENT_METHOD_NOT_ALLOWED,
    &PAYMENT_KEY_USED,
];

/// A collision is over soon.
const RETRY_SOON: Duration = Duration::from_millis(200);
/// A server or provider that is away takes longer.
const RETRY_LATER: Duration = Duration::from_secs(2);

/// The status of an error; internal text is logged and stays here.
#[must_use]
pub fn of(error: Error) -> Status {
    match error {
        TxError::Refused(refusal) => refused(&refusal),
        TxError::Busy | TxError::LockTimeout | TxError::Conflict => OVERLOADED
            .refuse("the database is busy")
            .retry_after(RETRY_SOON)
            .quota("database", "connections and locks")
            .into(),
        TxError::Unavailable | TxError::Unknown => DEPENDENCY_DOWN
            .refuse("the database does not answer")
            .retry_after(RETRY_LATER)
            .into(),
        TxError::Database(source) => internal(&source),
    }
}

fn refused(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::NotFound => PAYMENT_NOT_FOUND.refuse(text).into(),
        Refusal::RefundNotFound => REFUND_NOT_FOUND.refuse(text).into(),
        Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
        Refusal::RequestInProgress => REQUEST_IN_PROGRESS
            .refuse(text)
            .retry_after(RETRY_SOON)
            .into(),
        Refusal::UnknownProvider => PAYMENT_METHOD_NOT_ALLOWED.refuse(text).into(),
        Refusal::KeyUsed => PAYMENT_KEY_USED.refuse(text).into(),
        Refusal::ProviderDown => DEPENDENCY_DOWN.refuse(text).retry_after(RETRY_LATER).into(),
        Refusal::LiveBooking => {
            let mut wrong = Violations::new();
            wrong.add("booking_id", text);
            wrong.refuse(&INVALID_REQUEST)
        }
        Refusal::Rejected(rejection) => rejected(*rejection, text),
    }
}

fn rejected(rejection: Rejection, text: String) -> Status {
    match rejection {
        Rejection::Expired => PAYMENT_EXPIRED.refuse(text).into(),
        Rejection::Cancelled => PAYMENT_CANCELLED.refuse(text).into(),
        Rejection::Declined => PAYMENT_DECLINED.refuse(text).into(),
        Rejection::AlreadyCaptured => PAYMENT_ALREADY_CAPTURED.refuse(text).into(),
        Rejection::InProgress => REQUEST_IN_PROGRESS
            .refuse(text)
            .retry_after(RETRY_LATER)
            .into(),
        Rejection::AmountMismatch => PAYMENT_AMOUNT_MISMATCH.refuse(text).into(),
        Rejection::CurrencyMismatch => CURRENCY_MISMATCH.refuse(text).into(),
        Rejection::NotRefundable => PAYMENT_NOT_REFUNDABLE.refuse(text).into(),
        Rejection::RefundNotParked => REFUND_NOT_PARKED.refuse(text).into(),
    }
}
