//! Abandons an unpaid booking: its saga goes back, the payment is cancelled, and the units return once no money can stay. Lines of a confirmed
//! one are given back by `cancel_lines`.

use std::collections::BTreeSet;

use diesel::QueryResult;
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Connection, DomainError, TxError};
use uuid::Uuid;

use super::cancel_lines::cancel_lines;
use crate::domain::booking::{Booking, BookingState};
use crate::domain::cancellation::CancelRefusal;
use crate::domain::saga::{Direction, Step, give_up, reason};
use crate::saga::Sagas;
use crate::saga::moments::UNDO_PAY;
use crate::saga::turn::carry_out;
use crate::store::holds::Lock;
use crate::store::sagas;
use crate::store::{bookings, cancellations};

/// A request to abandon a booking, or to give lines of it back.
#[derive(Clone, Debug)]
pub struct CancelBooking {
    /// Whose request it is.
    pub key: Key,
    /// Fingerprint of the request.
    pub hash: RequestHash,
    /// The booking.
    pub booking_id: Uuid,
    /// Lines of a confirmed one; none: all that are left.
    pub lines: BTreeSet<i32>,
    /// Why.
    pub reason: String,
    /// Whether the caller may cancel anybody's.
    pub is_admin: bool,
}

impl DomainError for CancelRefusal {}

/// Why a booking was not abandoned.
pub type Error = TxError<CancelRefusal>;

/// Abandons a booking or cancels lines of it, and answers it as it is then.
pub async fn cancel_booking(sagas: &Sagas, wanted: CancelBooking) -> Result<Booking, Error> {
    let booking = look(sagas, &wanted).await?;
    match booking.state {
        BookingState::Confirmed | BookingState::Cancelled => {
            cancel_lines(sagas, &wanted, booking).await?;
        }
        BookingState::Processing | BookingState::AwaitingPayment | BookingState::Failed => {
            match abandon(sagas, wanted.clone()).await {
                // The money came in between.
                Err(TxError::Refused(CancelRefusal::NotCancellable(BookingState::Confirmed))) => {
                    let booking = look(sagas, &wanted).await?;
                    cancel_lines(sagas, &wanted, booking).await?;
                }
                outcome => outcome?,
            }
        }
    }
    sagas.wake(wanted.booking_id);
    look(sagas, &wanted).await
}

/// The booking as it is, if the caller may cancel it.
pub(super) async fn look(sagas: &Sagas, wanted: &CancelBooking) -> Result<Booking, Error> {
    let booking_id = wanted.booking_id;
    let read = async move |connection: &mut Connection| {
        bookings::get(connection, booking_id, Lock::No).await
    };
    let booking = sagas.inner.database.read(read).await;
    let booking = booking.map_err(TxError::widen)?;
    let mine = booking.filter(|it| it.account_id == wanted.key.account_id || wanted.is_admin);
    mine.ok_or_else(|| CancelRefusal::NotFound.into())
}

async fn abandon(sagas: &Sagas, wanted: CancelBooking) -> Result<(), Error> {
    let timings = sagas.inner.timings;
    let faults = sagas.inner.faults.clone();
    faults.at(UNDO_PAY.before_intent).await;
    let cancelled = sagas
        .inner
        .database
        .transaction("cancel booking", async move |connection| {
            let first = match begin(connection, wanted.key.clone(), wanted.hash).await? {
                Begun::First(first) => first,
                Begun::Replay { .. } => return Ok(()),
                Begun::Reused => return Err(CancelRefusal::RequestIdReused.into()),
                Begun::InProgress => return Err(CancelRefusal::RequestInProgress.into()),
            };
            let saga = sagas::lock_of_booking(connection, wanted.booking_id).await?;
            let booking = bookings::get(connection, wanted.booking_id, Lock::ForUpdate).await?;
            let (Some(saga), Some(booking)) = (saga, booking) else {
                return Err(CancelRefusal::NotFound.into());
            };
            if booking.account_id != wanted.key.account_id && !wanted.is_admin {
                return Err(CancelRefusal::NotFound.into());
            }
            // Paid and about to be confirmed counts as sold: the money has arrived.
            let waits = booking.state == BookingState::AwaitingPayment
                && (saga.at.direction, saga.at.step) == (Direction::Forward, Step::Pay);
            if !waits {
                return Err(CancelRefusal::NotCancellable(booking.state).into());
            }
            if !wanted.lines.is_empty() {
                return Err(CancelRefusal::LinesOfUnpaid.into());
            }
            carry_out(
                connection,
                &saga,
                &booking,
                &give_up(reason::ABANDONED),
                &timings,
            )
            .await?;
            faults.at(UNDO_PAY.after_intent).await;
            Ok(first.record(connection, booking.booking_id).await?)
        });
    cancelled.await
}

/// The money of a cancellation is back with its buyer. Refunds that no cancellation asked for are no news here.
pub async fn money_is_back(connection: &mut Connection, refund_id: Uuid) -> QueryResult<()> {
    cancellations::finish(connection, refund_id).await
}

/// The provider does not return the money of a cancellation: its buyer is told, and an operator retries the refund at payment-svc.
pub async fn money_is_parked(connection: &mut Connection, refund_id: Uuid) -> QueryResult<()> {
    cancellations::park(connection, refund_id).await
}
