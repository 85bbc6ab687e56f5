//! Refusals of holds, bookings and tickets.

use std::collections::BTreeSet;
use std::convert::Infallible;

use mesh::identity::PassError;
use mesh::pg::TxError;
use mesh::status::{
    DEPENDENCY_DOWN, INVALID_REQUEST, OVERLOADED, QUEUE_PASS_NOT_VALID, REQUEST_ID_REUSED,
    REQUEST_IN_PROGRESS, Reason, Refusal, Violations, internal,
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{BUSY_RETRY, CURRENCY_MISMATCH, DOWN_RETRY, IN_PROGRESS_RETRY, POOL_NOT_FOUND, down};
use crate::app::inventory::Failure;
use crate::app::saga_admin::SagaRefusal;
use crate::domain::booking::BookingRefusal;
use crate::domain::cancellation::CancelRefusal;
use crate::domain::hold::HoldState;
use crate::domain::inventory::Rejection;

const fn failed(name: &'static str, meaning: &'static str) -> Reason {
    Reason::new(name, Code::FailedPrecondition, meaning)
}

const fn absent(name: &'static str, meaning: &'static str) -> Reason {
    Reason::new(name, Code::NotFound, meaning)
}

const UNITS_TAKEN: Reason = failed(
    "UNITS_TAKEN",
    "PreconditionFailure names each unit and its level: HELD_OUT may come back, SOLD_OUT will not; choose others",
);
const BUYER_CAP_REACHED: Reason = failed(
    "BUYER_CAP_REACHED",
    "the buyer has as many units of the show as its seller allows; release some or ask for fewer",
);
const SALE_NOT_OPEN: Reason = failed(
    "SALE_NOT_OPEN",
    "the sale opens at the time that ErrorInfo names",
);
const SALE_CLOSED: Reason = failed("SALE_CLOSED", "the sale is over");
const PERFORMANCE_STARTED: Reason = failed(
    "PERFORMANCE_STARTED",
    "nothing is sold once a performance has started",
);
const HOLD_EXPIRED: Reason = failed(
    "HOLD_EXPIRED",
    "the time of the hold is up, or too little is left to pay in; hold again",
);
const HOLD_RELEASED: Reason = failed("HOLD_RELEASED", "the hold was given back; hold again");
const HOLD_ALREADY_BOOKED: Reason = failed(
    "HOLD_ALREADY_BOOKED",
    "a booking has this hold; look at the booking",
);
const TOTAL_CHANGED: Reason = failed(
    "TOTAL_CHANGED",
    "expected_total is not the total of the hold, which ErrorInfo names; ask the buyer again",
);
const BOOKING_NOT_CANCELLABLE: Reason = failed(
    "BOOKING_NOT_CANCELLABLE",
    "a booking that awaits its payment can be abandoned, and a confirmed one cancelled; ErrorInfo names the state",
);
const LINES_NOT_CANCELLABLE: Reason = failed(
    "LINES_NOT_CANCELLABLE",
    "PreconditionFailure names each line and why: UNKNOWN, CANCELLED already, or STARTED, its performance; cancel the others",
);
const HOLD_NOT_FOUND: Reason = absent(
    "HOLD_NOT_FOUND",
    "there is no such hold, or it is somebody else's",
);
const BOOKING_NOT_FOUND: Reason = absent(
    "BOOKING_NOT_FOUND",
    "there is no such booking, or it is somebody else's",
);
const TICKET_NOT_FOUND: Reason = absent(
    "TICKET_NOT_FOUND",
    "there is no such ticket, or it is somebody else's",
);
const TICKET_VOID: Reason = failed(
    "TICKET_VOID",
    "the ticket was taken back, because its line was cancelled; it admits nobody",
);
const SAGA_NOT_FOUND: Reason = absent("SAGA_NOT_FOUND", "there is no such saga");
const SAGA_FINAL: Reason = failed(
    "SAGA_FINAL",
    "the saga has ended, in the state that ErrorInfo names; nothing can be done to it any more",
);
const SAGA_PARKED: Reason = failed(
    "SAGA_PARKED",
    "the saga is parked already; RetrySaga lets it go on",
);
const PAYMENT_METHOD_NOT_ALLOWED: Reason = Reason::new(
    "PAYMENT_METHOD_NOT_ALLOWED",
    Code::InvalidArgument,
    "free is for a total of 0, on_site for more, with provider toss",
);
const COUPONS_NOT_USABLE: Reason = failed(
    "COUPONS_NOT_USABLE",
    "PreconditionFailure names the chosen coupons that cannot be used for this order, and why; choose without them",
);
const COUPONS_UNAVAILABLE: Reason = Reason::new(
    "COUPONS_UNAVAILABLE",
    Code::Unavailable,
    "coupons cannot be looked at now; repeat after RetryInfo, or book without them",
);
const POOL_BUSY: Reason = Reason::new(
    "POOL_BUSY",
    Code::ResourceExhausted,
    "the pool stayed locked; repeat after RetryInfo with the same request_id",
);
const QUEUE_PASS_REQUIRED: Reason = Reason::new(
    "QUEUE_PASS_REQUIRED",
    Code::FailedPrecondition,
    "a show is sold, or shown, to those whom its waiting room let in; PreconditionFailure names each such show and where to join",
);
const QUEUE_PASS_USED: Reason = Reason::new(
    "QUEUE_PASS_USED",
    Code::FailedPrecondition,
    "the place of this pass has had its hold and gets no other; PreconditionFailure names each such show and where to join again",
);

/// The reasons of this module.
pub(super) const REASONS: &[&Reason] = &[
    &QUEUE_PASS_REQUIRED,
    &QUEUE_PASS_USED,
    &UNITS_TAKEN,
    &BUYER_CAP_REACHED,
    &SALE_NOT_OPEN,
    &SALE_CLOSED,
    &PERFORMANCE_STARTED,
    &HOLD_EXPIRED,
    &HOLD_RELEASED,
    &HOLD_ALREADY_BOOKED,
    &TOTAL_CHANGED,
    &BOOKING_NOT_CANCELLABLE,
    &HOLD_NOT_FOUND,
    &BOOKING_NOT_FOUND,
    &TICKET_NOT_FOUND,
    &SAGA_NOT_FOUND,
    &SAGA_FINAL,
    &SAGA_PARKED,
    &PAYMENT_METHOD_NOT_ALLOWED,
    &POOL_BUSY,
    &COUPONS_NOT_USABLE,
    &COUPONS_UNAVAILABLE,
    &LINES_NOT_CANCELLABLE,
    &TICKET_VOID,
];

/// A hold that is absent for this caller.
pub(in crate::grpc) fn no_hold() -> Status {
    HOLD_NOT_FOUND.refuse("the hold does not exist").into()
}

/// A booking that is absent for this caller.
pub(in crate::grpc) fn no_booking() -> Status {
    BOOKING_NOT_FOUND
        .refuse("the booking does not exist")
        .into()
}

/// A ticket that is absent for this caller.
pub(in crate::grpc) fn no_ticket() -> Status {
    TICKET_NOT_FOUND.refuse("the ticket does not exist").into()
}

/// A ticket that was taken back.
pub(in crate::grpc) fn ticket_void() -> Status {
    TICKET_VOID.refuse("the ticket was taken back").into()
}

/// A saga that does not exist.
pub(in crate::grpc) fn no_saga() -> Status {
    SAGA_NOT_FOUND.refuse("the saga does not exist").into()
}

/// A provider that this release does not have.
pub(in crate::grpc) fn no_provider(provider: &str) -> Status {
    let message = format!("on_site.provider must be toss, not {provider:?}");
    PAYMENT_METHOD_NOT_ALLOWED
        .refuse(message)
        .with("provider", "toss")
        .into()
}

/// A read that failed.
pub(in crate::grpc) fn unread(error: TxError<Infallible>) -> Status {
    error.into_status(|never| match never {})
}

/// A hold that could not be booked.
pub(in crate::grpc) fn not_booked(error: TxError<BookingRefusal>) -> Status {
    error.into_status(|refusal| booking(&refusal))
}

/// A booking that could not be abandoned.
pub(in crate::grpc) fn not_cancelled(error: TxError<CancelRefusal>) -> Status {
    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            CancelRefusal::NotFound => no_booking(),
            CancelRefusal::LinesOfUnpaid => BOOKING_NOT_CANCELLABLE.refuse(text).into(),
            CancelRefusal::Lines(lines) => {
                let refusal = lines.iter().fold(
                    LINES_NOT_CANCELLABLE.refuse(text),
                    |refusal, (line_no, problem)| {
                        refusal.precondition("LINE", &line_no.to_string(), problem.name())
                    },
                );
                refusal.into()
            }
            CancelRefusal::NotCancellable(state) => BOOKING_NOT_CANCELLABLE
                .refuse(text)
                .with("state", state.name())
                .into(),
            CancelRefusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            CancelRefusal::RequestInProgress => in_progress(text),
        }
    })
}

/// An order of an operator that was not carried out.
pub(in crate::grpc) fn not_moved(error: TxError<SagaRefusal>) -> Status {
    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            SagaRefusal::NotFound => no_saga(),
            SagaRefusal::Final(state) => SAGA_FINAL.refuse(text).with("state", state.name()).into(),
            SagaRefusal::Parked => SAGA_PARKED.refuse(text).into(),
            SagaRefusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            SagaRefusal::RequestInProgress => in_progress(text),
        }
    })
}

fn in_progress(text: String) -> Status {
    let refusal = REQUEST_IN_PROGRESS.refuse(text);
    refusal.retry_after(IN_PROGRESS_RETRY).into()
}

fn busy(text: &str) -> Status {
    OVERLOADED.refuse(text).retry_after(BUSY_RETRY).into()
}

fn pool_busy() -> Status {
    let refusal = POOL_BUSY
        .refuse("others have the pool locked")
        .retry_after(BUSY_RETRY);
    refusal.into()
}

fn booking(refusal: &BookingRefusal) -> Status {
    let text = refusal.to_string();
    let told = match refusal {
        BookingRefusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text),
        BookingRefusal::HoldNotFound => HOLD_NOT_FOUND.refuse(text),
        BookingRefusal::HoldExpired => HOLD_EXPIRED.refuse(text),
        BookingRefusal::HoldReleased => HOLD_RELEASED.refuse(text),
        BookingRefusal::HoldAlreadyBooked => HOLD_ALREADY_BOOKED.refuse(text),
        BookingRefusal::TotalChanged(total) => TOTAL_CHANGED.refuse(text).with("total", total),
        BookingRefusal::CurrencyMismatch(total) => CURRENCY_MISMATCH
            .refuse(text)
            .with("expected", total.currency),
        BookingRefusal::MethodNotAllowed(_) => PAYMENT_METHOD_NOT_ALLOWED.refuse(text),
        BookingRefusal::CouponsNotUsable(found) => {
            let refusal = COUPONS_NOT_USABLE.refuse(text).unlisted(found.unlisted);
            found.coupons.iter().fold(refusal, |refusal, it| {
                refusal.precondition(&it.kind, &it.coupon_id, &it.description)
            })
        }
        BookingRefusal::CouponsFault(_) => return internal(refusal),
        BookingRefusal::CouponsAway => COUPONS_UNAVAILABLE.refuse(text).retry_after(DOWN_RETRY),
    };
    told.into()
}

/// A command of the inventory that has no hold to show.
pub(in crate::grpc) fn not_held(failure: Failure) -> Status {
    match failure {
        Failure::Rejected(rejection) => rejected(&rejection),
        Failure::PoolBusy => pool_busy(),
        Failure::Overloaded => busy("too many commands wait for the inventory"),
        Failure::Unavailable => OVERLOADED
            .refuse("the database is busy")
            .retry_after(DOWN_RETRY)
            .into(),
        Failure::Unknown => {
            down("nobody knows whether the hold was made; repeat with the same request_id")
        }
        Failure::Fenced | Failure::Fault => internal(&failure),
    }
}

fn rejected(rejection: &Rejection) -> Status {
    let text = rejection.to_string();
    let told: Refusal = match rejection {
        Rejection::RequestIdReused => REQUEST_ID_REUSED.refuse(text),
        Rejection::PoolNotFound(_) => POOL_NOT_FOUND.refuse(text),
        Rejection::QueuePassRequired(shows) => return no_pass(text, shows, None),
        Rejection::QueuePassUsed(shows) => where_to_join(QUEUE_PASS_USED.refuse(text), shows),
        Rejection::UnknownUnit(line) => {
            return line_wrong(*line, "ord", "must be a unit of the pool");
        }
        Rejection::SeatQuantity(line) => {
            return line_wrong(*line, "quantity", "must be 1 for a seat");
        }
        Rejection::TotalTooLarge => {
            let mut violations = Violations::new();
            violations.add("lines", "must add up to a total that fits 64 bits");
            return violations.refuse(&INVALID_REQUEST);
        }
        Rejection::TwoCurrencies => CURRENCY_MISMATCH.refuse(text),
        Rejection::SaleNotOpen { show_id, opens } => SALE_NOT_OPEN
            .refuse(text)
            .with("show_id", show_id)
            .with("sale_open_time", opens.to_rfc3339()),
        Rejection::SaleClosed(show_id) => SALE_CLOSED.refuse(text).with("show_id", show_id),
        Rejection::PerformanceStarted(pool_id) => {
            PERFORMANCE_STARTED.refuse(text).with("pool_id", pool_id)
        }
        Rejection::UnitsTaken(units) => {
            units
                .iter()
                .fold(UNITS_TAKEN.refuse(text), |refusal, (unit, level)| {
                    let subject = format!("{}/{}", unit.pool_id, unit.ord);
                    refusal.precondition("UNIT", &subject, level.name())
                })
        }
        Rejection::BuyerCapReached {
            show_id,
            max,
            taken,
            ..
        } => BUYER_CAP_REACHED
            .refuse(text)
            .with("show_id", show_id)
            .with("units_per_buyer_max", max)
            .with("taken", taken),
        Rejection::HoldNotFound => HOLD_NOT_FOUND.refuse(text),
        Rejection::NotSold(_) => BOOKING_NOT_CANCELLABLE.refuse(text),
        Rejection::WrongState(HoldState::Expired) => HOLD_EXPIRED.refuse(text),
        Rejection::WrongState(HoldState::Released) => HOLD_RELEASED.refuse(text),
        Rejection::WrongState(_) => HOLD_ALREADY_BOOKED.refuse(text),
    };
    told.into()
}

/// The same for HoldUnits. `wrong`: what is wrong with a pass of the caller.
pub(in crate::grpc) fn not_let_in(failure: Failure, wrong: Option<PassError>) -> Status {
    match failure {
        Failure::Rejected(ref rejection @ Rejection::QueuePassRequired(ref shows)) => {
            no_pass(rejection.to_string(), shows, wrong)
        }
        _ => not_held(failure),
    }
}

/// Whoever needs a pass of these shows and has none. A pass that says nothing is told, rather than taken for none: its owner would wait
/// again.
pub(in crate::grpc) fn no_pass(
    text: String,
    shows: &BTreeSet<Uuid>,
    wrong: Option<PassError>,
) -> Status {
    match wrong {
        None => where_to_join(QUEUE_PASS_REQUIRED.refuse(text), shows).into(),
        Some(PassError::NotValid | PassError::Ended) => {
            let text = "usher-queue-pass is no valid pass of this account";
            where_to_join(QUEUE_PASS_NOT_VALID.refuse(text), shows).into()
        }
        Some(PassError::KeysAway) => DEPENDENCY_DOWN
            .refuse("the keys of passes cannot be read")
            .retry_after(DOWN_RETRY)
            .into(),
    }
}

/// Names the shows and where their waiting rooms are joined; the first one in ErrorInfo, too, where a program looks first.
fn where_to_join(refusal: Refusal, shows: &BTreeSet<Uuid>) -> Refusal {
    let join = |show_id: &Uuid| format!("/v1/shows/{show_id}/queue:join");
    let refusal = match shows.first() {
        Some(show_id) => refusal.with("join", join(show_id)),
        None => refusal,
    };
    shows.iter().fold(refusal, |refusal, show_id| {
        refusal.precondition("SHOW", &show_id.to_string(), &join(show_id))
    })
}

fn line_wrong(line: usize, field: &str, remedy: &str) -> Status {
    let mut violations = Violations::new();
    violations.add(format!("lines[{line}].{field}"), remedy);
    violations.refuse(&INVALID_REQUEST)
}

#[cfg(test)]
mod tests;
