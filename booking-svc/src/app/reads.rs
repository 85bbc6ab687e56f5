//! What buyers read: their holds, bookings and tickets.

use std::collections::BTreeMap;
use std::convert::Infallible;

use chrono::{DateTime, Utc};
use mesh::pg::{Connection, Database, TxError};
use uuid::Uuid;

use crate::domain::booking::{Booking, BookingFilter, BookingState};
use crate::domain::hold::{Hold, HoldState, UnitKey};
use crate::domain::ticket::Ticket;
use crate::store::bookings;
use crate::store::holds::{self, Lock};
use crate::store::seats;
use crate::store::tickets;
use mesh::page::{Page, PageRequest};

/// A read fails only with its database.
pub type Read<T> = Result<T, TxError<Infallible>>;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// The caller.
    pub account_id: Uuid,
    /// Whether it may read what belongs to others.
    pub is_admin: bool,
}

impl Reader {
    fn may_read(self, owner: Uuid) -> bool {
        self.is_admin || self.account_id == owner
    }
}

/// Names of seats by unit.
pub type Seats = BTreeMap<UnitKey, String>;

/// A hold of the caller's own. Somebody else's is absent.
pub async fn hold(database: &Database, hold_id: Uuid, reader: Reader) -> Read<Option<Hold>> {
    let read = async move |connection: &mut Connection| holds::get(connection, hold_id).await;
    let hold = database.read(read).await?;
    Ok(hold.filter(|hold| hold.account_id == reader.account_id))
}

/// Place of a hold in the list of its buyer: when it was made, and its id.
pub type HoldPlace = (DateTime<Utc>, Uuid);

/// The caller's holds, newest first.
pub async fn holds(
    database: &Database,
    account_id: Uuid,
    state: Option<HoldState>,
    page: PageRequest<HoldPlace>,
) -> Read<Page<Hold, HoldPlace>> {
    let (limit, after) = (page.fetch(), page.after);
    let read = async move |connection: &mut Connection| {
        holds::list(connection, account_id, state, after, limit).await
    };
    let found = database.read(read).await?;
    Ok(page.cut(found, |hold| (hold.create_time, hold.hold_id)))
}

/// Names of the seats among `units`.
pub async fn seats(database: &Database, units: Vec<UnitKey>) -> Read<Seats> {
    database
        .read(async move |connection| seats::guids(connection, &units).await)
        .await
}

/// A booking that the caller may read.
pub async fn booking(
    database: &Database,
    booking_id: Uuid,
    reader: Reader,
) -> Read<Option<Booking>> {
    let read = async move |connection: &mut Connection| {
        bookings::get(connection, booking_id, Lock::No).await
    };
    let booking = database.read(read).await?;
    Ok(booking.filter(|booking| reader.may_read(booking.account_id)))
}

/// Version and state of a booking.
pub async fn pulse(database: &Database, booking_id: Uuid) -> Read<Option<(i64, BookingState)>> {
    database
        .read(async move |connection| bookings::pulse(connection, booking_id).await)
        .await
}

/// The caller's bookings, newest first.
pub async fn bookings(
    database: &Database,
    filter: BookingFilter,
    page: PageRequest<Uuid>,
) -> Read<Page<Booking, Uuid>> {
    let limit = page.fetch();
    let filter = BookingFilter {
        before: page.after,
        ..filter
    };
    let read =
        async move |connection: &mut Connection| bookings::list(connection, &filter, limit).await;
    let found = database.read(read).await?;
    Ok(page.cut(found, |booking| booking.booking_id))
}

/// Place of a ticket in its booking: line and number.
pub type TicketPlace = (u32, u32);

/// Tickets of a booking, by line.
pub async fn tickets(
    database: &Database,
    booking_id: Uuid,
    page: PageRequest<TicketPlace>,
) -> Read<Page<Ticket, TicketPlace>> {
    let limit = page.fetch();
    let narrow = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let after = page.after.map(|(line, seq)| (narrow(line), narrow(seq)));
    let read = async move |connection: &mut Connection| {
        tickets::list(connection, booking_id, after, limit).await
    };
    let found = database.read(read).await?;
    Ok(page.cut(found, |ticket| (ticket.line_no, ticket.seq)))
}

/// A ticket that the caller may read.
pub async fn ticket(database: &Database, ticket_id: Uuid, reader: Reader) -> Read<Option<Ticket>> {
    let read = async move |connection: &mut Connection| tickets::get(connection, ticket_id).await;
    let ticket = database.read(read).await?;
    Ok(ticket.filter(|ticket| reader.may_read(ticket.account_id)))
}
