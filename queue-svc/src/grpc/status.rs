//! The one map from this service's errors to a status.

use std::convert::Infallible;
use std::time::Duration;

use mesh::pg::TxError;
use mesh::status::{
    INVALID_REQUEST, OVERLOADED, REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, Reason, Violations,
};
use tonic::{Code, Status};

use crate::app::{answer, manage};
use crate::credentials::pass::PassError;
use crate::credentials::ticket::TicketError;

/// No such room.
pub const ROOM_NOT_FOUND: Reason = Reason::new(
    "ROOM_NOT_FOUND",
    Code::NotFound,
    "this show has no waiting room: its sale is open to everybody, or there is no such show",
);
/// As many wait as the room takes.
pub const ROOM_FULL: Reason = Reason::new(
    "ROOM_FULL",
    Code::ResourceExhausted,
    "as many people wait as the room takes; repeat after RetryInfo",
);
/// A closed room stays so.
pub const ROOM_CLOSED: Reason = Reason::new(
    "ROOM_CLOSED",
    Code::FailedPrecondition,
    "the room was closed for good",
);
/// Redis does not answer, or the room recovers.
pub const LINE_UNAVAILABLE: Reason = Reason::new(
    "LINE_UNAVAILABLE",
    Code::Unavailable,
    "the line does not answer for now; places are kept, repeat after RetryInfo",
);
/// Not a ticket.
pub const TICKET_NOT_VALID: Reason = Reason::new(
    "TICKET_NOT_VALID",
    Code::InvalidArgument,
    "this is no ticket of this show; join without it",
);
/// Somebody else's.
pub const TICKET_OF_ANOTHER: Reason = Reason::new(
    "TICKET_OF_ANOTHER",
    Code::PermissionDenied,
    "the ticket belongs to another account; join with your own",
);
/// Of an older epoch.
pub const QUEUE_RESET: Reason = Reason::new(
    "QUEUE_RESET",
    Code::Aborted,
    "the line was begun anew and older tickets are void; join again",
);
/// Nothing to claim.
pub const NO_OFFER: Reason = Reason::new(
    "NO_OFFER",
    Code::FailedPrecondition,
    "it is not this ticket's turn, or the turn is over; poll",
);
/// Not an invitation of theirs.
pub const INVITATION_NOT_VALID: Reason = Reason::new(
    "INVITATION_NOT_VALID",
    Code::InvalidArgument,
    "this is no invitation of this show, or another account used it; join without it",
);
/// First come, first served.
pub const LOTTERY_NOT_FOUND: Reason = Reason::new(
    "LOTTERY_NOT_FOUND",
    Code::NotFound,
    "this room draws no lots: whoever joins first comes first",
);
/// People joined under the other rule.
pub const ORDER_FIXED: Reason = Reason::new(
    "ORDER_FIXED",
    Code::FailedPrecondition,
    "people have joined under the order that was told to them; it cannot be changed any more",
);
/// Another seller's.
pub const ROOM_OF_ANOTHER: Reason = Reason::new(
    "ROOM_OF_ANOTHER",
    Code::PermissionDenied,
    "the show belongs to another seller, or was not published yet",
);
/// Not a pass.
pub const PASS_NOT_VALID: Reason = Reason::new(
    "PASS_NOT_VALID",
    Code::InvalidArgument,
    "this is no pass of this account for this show",
);
/// Too late.
pub const PASS_EXPIRED: Reason = Reason::new(
    "PASS_EXPIRED",
    Code::FailedPrecondition,
    "the pass or its session is over; join again",
);

/// The reasons of this service, for docs/ERRORS.md.
pub const REASONS: &[&Reason] = &[
    &ROOM_NOT_FOUND,
    &ROOM_FULL,
    &ROOM_CLOSED,
    &LINE_UNAVAILABLE,
    &TICKET_NOT_VALID,
    &TICKET_OF_ANOTHER,
    &QUEUE_RESET,
    &NO_OFFER,
    &INVITATION_NOT_VALID,
    &ROOM_OF_ANOTHER,
    &LOTTERY_NOT_FOUND,
    &ORDER_FIXED,
    &PASS_NOT_VALID,
    &PASS_EXPIRED,
];

/// A collision is over soon.
const RETRY_SOON: Duration = Duration::from_millis(200);
/// A server that is away takes longer.
const RETRY_LATER: Duration = Duration::from_secs(2);
/// People leave a full room a few at a time.
const RETRY_FULL: Duration = Duration::from_secs(30);

/// What people in line are refused with.
pub(super) fn waiting(refusal: &answer::Refusal) -> Status {
    use answer::Refusal;

    let text = refusal.to_string();
    match refusal {
        Refusal::NoRoom => no_room(),
        Refusal::Full => ROOM_FULL
            .refuse(text)
            .retry_after(RETRY_FULL)
            .quota("room", "people in line")
            .into(),
        Refusal::Ticket(TicketError::NotValid) => TICKET_NOT_VALID.refuse(text).into(),
        Refusal::Ticket(TicketError::OfAnother) => TICKET_OF_ANOTHER.refuse(text).into(),
        Refusal::Pass(PassError::NotValid) => PASS_NOT_VALID.refuse(text).into(),
        Refusal::Pass(PassError::Expired) | Refusal::SessionOver => {
            PASS_EXPIRED.refuse(text).into()
        }
        Refusal::Reset => QUEUE_RESET.refuse(text).into(),
        Refusal::NoOffer => NO_OFFER.refuse(text).into(),
        Refusal::Over => ROOM_CLOSED.refuse(text).into(),
        Refusal::Grades(strange, known) => {
            let mut wrong = Violations::new();
            for number in strange {
                let remedy = format!("is no grade of this show; it has {}", known.join(", "));
                wrong.add(format!("grades[{number}]"), remedy);
            }
            wrong.refuse(&INVALID_REQUEST)
        }
        Refusal::Invitation => INVITATION_NOT_VALID.refuse(text).into(),
        Refusal::Crowded => OVERLOADED
            .refuse(text)
            .retry_after(RETRY_FULL)
            .quota("instance", "people who watch")
            .into(),
        Refusal::Stopping => LINE_UNAVAILABLE.refuse(text).retry_after(RETRY_SOON).into(),
        Refusal::Unavailable(after) => LINE_UNAVAILABLE.refuse(text).retry_after(*after).into(),
        Refusal::Keys => LINE_UNAVAILABLE
            .refuse(text)
            .retry_after(RETRY_LATER)
            .into(),
        Refusal::Busy => OVERLOADED
            .refuse(text)
            .retry_after(RETRY_SOON)
            .quota("room", "joins at once")
            .into(),
    }
}

/// What operators are refused with.
pub(super) fn managing(error: manage::Error) -> Status {
    use manage::Refusal;

    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoRoom => no_room(),
            Refusal::NotYours => ROOM_OF_ANOTHER.refuse(text).into(),
            Refusal::OrderFixed => ORDER_FIXED.refuse(text).into(),
            Refusal::Closed(_) => ROOM_CLOSED.refuse(text).into(),
            Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            Refusal::RequestInProgress => REQUEST_IN_PROGRESS
                .refuse(text)
                .retry_after(RETRY_SOON)
                .into(),
        }
    })
}

pub(super) fn no_room() -> Status {
    ROOM_NOT_FOUND
        .refuse("this show has no waiting room")
        .into()
}

pub(super) fn no_lottery() -> Status {
    LOTTERY_NOT_FOUND.refuse("this room draws no lots").into()
}

pub(super) fn over() -> Status {
    ROOM_CLOSED.refuse("the room was closed").into()
}

pub(super) fn unread(error: TxError<Infallible>) -> Status {
    error.into_status(|never| match never {})
}
