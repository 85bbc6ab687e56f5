//! Gives lines of a confirmed booking back: lines, tickets, units, the order to refund and what goes back to coupon-svc, in one batch of the
//! inventory. What follows are commands, which wait for their services: no money leaves before the tickets are void.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::QueryResult;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::pg::idempotency::RequestHash;
use mesh::pg::{self, Connection, TxError};
use mesh::{id, outbox};
use uuid::Uuid;

use super::cancel_booking::{CancelBooking, Error, look};
use crate::app::inventory::{Failure, Rider};
use crate::domain::booking::{Booking, BookingLine};
use crate::domain::cancellation::{CancelRefusal, Cancellation, cancel};
use crate::domain::hold::{Hold, UnitKey};
use crate::domain::inventory::{Command, Rejection};
use crate::publish;
use crate::saga::Sagas;
use crate::store::cancellations::{self, NewCancellation};
use crate::store::holds::Lock;
use crate::store::{bookings, sagas};

/// What the locks of the batch let see.
enum Verdict {
    Unseen,
    Refused(CancelRefusal),
    Replay,
    GoesBack(Cancellation),
}

struct CancelLines {
    wanted: CancelBooking,
    booking: Booking,
    saga_id: Uuid,
    cancellation_id: Uuid,
    verdict: Mutex<Verdict>,
}

/// Looks at a booking that others cancel at the same time before it is given up: each of them leaves fewer lines.
const LOOKS: u32 = 5;

/// Cancels lines of a booking that was CONFIRMED, or is CANCELLED by now.
pub(super) async fn cancel_lines(
    sagas: &Sagas,
    wanted: &CancelBooking,
    mut booking: Booking,
) -> Result<(), Error> {
    for _ in 0..LOOKS {
        match cancel_once(sagas, wanted, booking).await? {
            Tried::Done => return Ok(()),
            Tried::Overtaken => booking = look(sagas, wanted).await?,
        }
    }
    Err(TxError::Conflict)
}

enum Tried {
    Done,
    /// Others gave lines back in the same batch.
    Overtaken,
}

async fn cancel_once(
    sagas: &Sagas,
    wanted: &CancelBooking,
    booking: Booking,
) -> Result<Tried, Error> {
    let booking_id = booking.booking_id;
    let read =
        async move |connection: &mut Connection| sagas::id_of_booking(connection, booking_id).await;
    let saga_id = sagas
        .inner
        .database
        .read(read)
        .await
        .map_err(TxError::widen)?;
    let command = Command::Return {
        hold_id: booking.hold_id,
        units: units(wanted, &booking),
    };
    // The booking is in it, whose row is locked: two cancellations never meet at the key.
    let whose = format!("{}/{booking_id}", wanted.key.account_id);
    let rider = Arc::new(CancelLines {
        cancellation_id: id::derive(wanted.key.request_id, whose),
        saga_id: saga_id.ok_or(CancelRefusal::NotFound)?,
        wanted: wanted.clone(),
        booking,
        verdict: Mutex::new(Verdict::Unseen),
    });
    let riding: Arc<dyn Rider> = rider.clone();
    let done = sagas.inner.inventory.submit_with(command, riding).await;
    match (done, rider.verdict()) {
        (Ok(_), _) | (Err(Failure::Fenced), Verdict::Replay) => Ok(Tried::Done),
        (Err(Failure::Fenced), Verdict::Refused(refusal)) => Err(refusal.into()),
        (Err(Failure::Rejected(Rejection::NotSold(_))), _) => Ok(Tried::Overtaken),
        (Err(failure), _) => Err(undone(&failure)),
    }
}

/// Units of the lines that are named; of all that are left where none is.
fn units(wanted: &CancelBooking, booking: &Booking) -> BTreeSet<UnitKey> {
    let is_wanted = |line: &&BookingLine| match wanted.lines.is_empty() {
        true => line.refund.is_none(),
        false => wanted.lines.contains(&line.line_no),
    };
    let lines = booking.lines.iter().filter(is_wanted);
    lines.map(|line| line.unit).collect()
}

/// What the inventory's failure means to whoever cancels.
fn undone(failure: &Failure) -> Error {
    tracing::warn!("a cancellation was not carried out: {failure}");
    match failure {
        Failure::PoolBusy => TxError::LockTimeout,
        Failure::Unknown => TxError::Unknown,
        Failure::Overloaded => TxError::Busy,
        Failure::Unavailable => TxError::Unavailable,
        // A sold booking has a sold hold: a fault of ours, which no repetition mends.
        Failure::Rejected(_) | Failure::Fenced | Failure::Fault => {
            TxError::Database(diesel::result::Error::RollbackTransaction)
        }
    }
}

impl CancelLines {
    fn verdict(&self) -> Verdict {
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut verdict, Verdict::Unseen)
    }

    fn see(&self, seen: Verdict) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    async fn look(&self, connection: &mut Connection) -> QueryResult<Verdict> {
        let booking_id = self.booking.booking_id;
        sagas::lock_of_booking(connection, booking_id).await?;
        let booking = bookings::get(connection, booking_id, Lock::ForUpdate).await?;
        let before = cancellations::request_of(connection, self.cancellation_id).await?;
        if let Some(request_hash) = before {
            let same = request_hash == self.hash();
            return Ok(if same {
                Verdict::Replay
            } else {
                Verdict::Refused(CancelRefusal::RequestIdReused)
            });
        }
        let Some(booking) = booking else {
            return Ok(Verdict::Refused(CancelRefusal::NotFound));
        };
        let starts = cancellations::starts(connection, booking_id).await?;
        let now = pg::now(connection).await?;
        Ok(match cancel(&booking, &self.wanted.lines, &starts, now) {
            Ok(cancelled) => Verdict::GoesBack(cancelled),
            Err(refusal) => Verdict::Refused(refusal),
        })
    }

    fn hash(&self) -> &[u8] {
        let RequestHash(hash) = &self.wanted.hash;
        hash
    }
}

impl Rider for CancelLines {
    fn lock<'a>(&'a self, connection: &'a mut Connection) -> BoxFuture<'a, QueryResult<bool>> {
        async move {
            let seen = self.look(connection).await?;
            let goes_back = matches!(seen, Verdict::GoesBack(_));
            self.see(seen);
            Ok(goes_back)
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        connection: &'a mut Connection,
        _: &'a Hold,
    ) -> BoxFuture<'a, QueryResult<()>> {
        async move {
            // Others of the same batch may have given lines back since the locks were taken: what remains decides about coupons and state.
            let Verdict::GoesBack(cancelled) = self.look(connection).await? else {
                return Err(diesel::result::Error::RollbackTransaction);
            };
            let new = NewCancellation {
                cancellation_id: self.cancellation_id,
                booking_id: self.booking.booking_id,
                account_id: self.wanted.key.account_id,
                request_hash: self.hash(),
                reason: &self.wanted.reason,
            };
            cancellations::insert(connection, &new, &cancelled).await?;
            let (booking, booking_id) = (&self.booking, self.booking.booking_id);
            let now = pg::now(connection).await?;
            let event = publish::cancelled(booking, self.cancellation_id, &cancelled, now);
            outbox::append(connection, &event, booking_id).await?;
            let which = (self.cancellation_id, self.wanted.reason.as_str());
            if let Some(command) = publish::refund(booking, which, &cancelled) {
                outbox::append(connection, &command, booking_id).await?;
            }
            if let Some(command) = publish::restore_coupons(booking, &cancelled) {
                outbox::append(connection, &command, booking_id).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn order(&self) -> Uuid {
        self.saga_id
    }
}
