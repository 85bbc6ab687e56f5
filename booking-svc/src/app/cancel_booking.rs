//! Abandons an unpaid booking: its saga goes back, the payment is cancelled, and the units return once no money can stay.

use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{DomainError, TxError};
use thiserror::Error as ThisError;
use uuid::Uuid;

use crate::domain::booking::{Booking, BookingState};
use crate::domain::saga::{Direction, Step, give_up, reason};
use crate::saga::Sagas;
use crate::saga::moments::UNDO_PAY;
use crate::saga::turn::carry_out;
use crate::store::bookings;
use crate::store::holds::Lock;
use crate::store::sagas;

/// A request to abandon a booking.
#[derive(Clone, Debug)]
pub struct CancelBooking {
    /// Whose request it is.
    pub key: Key,
    /// Fingerprint of the request.
    pub hash: RequestHash,
    /// The booking.
    pub booking_id: Uuid,
    /// Whether the caller may cancel anybody's.
    pub is_admin: bool,
}

/// Why a booking is not abandoned. Nothing changes.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
pub enum CancelRefusal {
    /// No such booking of this caller.
    #[error("the booking does not exist")]
    NotFound,
    /// It does not wait for its buyer.
    #[error("the booking is {}", .0.name())]
    NotCancellable(BookingState),
    /// The id came before with another body.
    #[error("the request_id was used for another request")]
    RequestIdReused,
    /// The first call still runs.
    #[error("the first call with this request_id still runs")]
    RequestInProgress,
}

impl DomainError for CancelRefusal {}

/// Why a booking was not abandoned.
pub type Error = TxError<CancelRefusal>;

/// Abandons a booking and answers it as it is then.
pub async fn cancel_booking(sagas: &Sagas, wanted: CancelBooking) -> Result<Booking, Error> {
    let (timings, booking_id) = (sagas.inner.timings, wanted.booking_id);
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
    cancelled.await?;
    sagas.wake(booking_id);
    let read = async move |connection: &mut mesh::pg::Connection| {
        bookings::get(connection, booking_id, Lock::No).await
    };
    let booking = sagas
        .inner
        .database
        .read(read)
        .await
        .map_err(TxError::widen)?;
    booking.ok_or_else(|| CancelRefusal::NotFound.into())
}
