//! Issues the tickets of a confirmed booking: one for each place, signed, once.

use diesel::QueryResult;
use diesel::result::Error;
use mesh::faults::Faults;
use mesh::pg::{self, Connection};
use mesh::{id, outbox};
use proto::usher::booking::events::v1::TicketsIssued;
use tracing::warn;
use uuid::Uuid;

use crate::domain::booking::{Booking, BookingLine, BookingState};
use crate::domain::saga::{Direction, Note, Position, State, Step};
use crate::domain::ticket::code::{Claims, validity};
use crate::domain::ticket::keys::KeyRing;
use crate::saga::moments::TICKETS;
use crate::store::bookings;
use crate::store::holds::Lock;
use crate::store::sagas::{self, Moved};
use crate::store::tickets::{self, NewTicket};

/// Issues what is missing of a booking's tickets and ends its saga. A booking that was not sold gets none, nor does a line that was given back.
pub async fn issue_tickets(
    connection: &mut Connection,
    keys: &KeyRing,
    booking_id: Uuid,
    faults: &Faults,
) -> QueryResult<()> {
    let saga = sagas::lock_of_booking(connection, booking_id).await?;
    let booking = bookings::get(connection, booking_id, Lock::ForUpdate).await?;
    let (Some(saga), Some(booking)) = (saga, booking) else {
        warn!(%booking_id, "tickets were asked for booking {booking_id}, which does not exist");
        return Ok(());
    };
    if !matches!(
        booking.state,
        BookingState::Confirmed | BookingState::Cancelled
    ) {
        warn!(%booking_id, "tickets were asked for booking {booking_id}, which is {}", booking.state.name());
        return Ok(());
    }
    if (saga.at.direction, saga.at.step) != (Direction::Forward, Step::Tickets)
        || saga.at.state == State::Done
    {
        return Ok(());
    }
    faults.at(TICKETS.after_intent).await;
    let mut issued = Vec::new();
    let lines = booking.lines.iter();
    for line in lines.filter(|line| line.refund.is_none()) {
        for seq in 0..line.quantity {
            let ticket = sign(connection, keys, &booking, line, seq).await?;
            tickets::insert(connection, &ticket).await?;
            issued.push(ticket.ticket_id.to_string());
        }
    }
    let event = TicketsIssued {
        booking_id: booking_id.to_string(),
        account_id: booking.account_id.to_string(),
        ticket_ids: issued,
    };
    outbox::append(connection, &event, booking_id).await?;
    let done = Moved {
        to: Position {
            state: State::Done,
            ..saga.at
        },
        attempts: 0,
        due: None,
        released: false,
        error: None,
    };
    sagas::advance(connection, saga.saga_id, saga.lease_gen, &done).await?;
    sagas::note(
        connection,
        saga.saga_id,
        Step::Tickets.name(),
        Note::Ok,
        saga.lease_gen,
    )
    .await
}

async fn sign(
    connection: &mut Connection,
    keys: &KeyRing,
    booking: &Booking,
    line: &BookingLine,
    seq: i32,
) -> QueryResult<NewTicket> {
    let times = tickets::times(connection, line.performance_id).await?;
    let (valid_from, valid_until) = validity(times.start_time, times.end_time);
    let ticket_id = id::new();
    let claims = Claims {
        ticket_id,
        performance_id: line.performance_id,
        ord: line.unit.ord.unsigned_abs(),
        seq: u16::try_from(seq).map_err(|error| unsignable(&error))?,
        reissue: 0,
        valid_from,
        valid_until,
    };
    let now = pg::now(connection).await?;
    let signed = keys
        .sign(&claims, now)
        .map_err(|error| unsignable(&error))?;
    Ok(NewTicket {
        ticket_id,
        booking_id: booking.booking_id,
        line_no: line.line_no,
        seq,
        account_id: booking.account_id,
        performance_id: line.performance_id,
        pool_id: line.unit.pool_id,
        ord: line.unit.ord,
        exclusive: line.exclusive,
        key_id: i32::from(signed.key_id),
        code: signed.code,
    })
}

/// Passing, as far as a consumer can tell: a key that is missing now may be there after the next rotation.
fn unsignable(error: &impl std::fmt::Display) -> Error {
    Error::QueryBuilderError(format!("a ticket cannot be signed: {error}").into())
}
