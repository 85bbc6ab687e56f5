//! Books a hold: opens booking and saga, pins the hold and commits the intent to pay in one transaction, then lets the saga run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::faults::Faults;
use mesh::pg::{self, Connection, DomainError, TxError};
use mesh::{id, outbox, trace};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::quote_booking::quote_booking;
use crate::app::timings::BookTimings;
use crate::domain::booking::{Booking, BookingRefusal, CreateBooking, discounted, open};
use crate::domain::hold::{Hold, HoldState};
use crate::domain::price::{CouponChoice, Discount};
use crate::domain::saga::{Note, Step};
use crate::publish;
use crate::saga::Sagas;
use crate::saga::moments::{COUPONS, PAY, PIN};
use crate::saga::turn::later;
use crate::store::bookings::{self, NewBooking};
use crate::store::holds::{self, Lock};
use crate::store::sagas::{self, NewSaga};

/// How often a booking that another instance may change is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl DomainError for BookingRefusal {}

/// Why a hold was not booked.
pub type Error = TxError<BookingRefusal>;

enum Opened {
    New { booking_id: Uuid, saga_id: Uuid },
    Known { booking_id: Uuid },
}

/// Books a hold and answers the booking as it stands at `answer_by` at the latest: the saga goes on without the caller.
pub async fn create_booking(
    sagas: &Sagas,
    wanted: CreateBooking,
    answer_by: Instant,
) -> Result<Booking, Error> {
    let opened = match open_once(sagas, &wanted).await {
        // Two calls with one request_id at once: the other one is first, and the next look finds its booking.
        Err(problem) if problem.constraint() == Some("booking_request_key") => {
            open_once(sagas, &wanted).await
        }
        Err(problem) if problem.constraint() == Some("booking_one_live") => {
            Err(BookingRefusal::HoldAlreadyBooked.into())
        }
        other => other,
    }?;
    match opened {
        Opened::Known { booking_id } => present(sagas, booking_id).await,
        Opened::New {
            booking_id,
            saga_id,
        } => {
            sagas.inner.faults.at(PIN.after_result).await;
            let mut changes = sagas.changes();
            sagas.begin(saga_id);
            loop {
                let booking = present(sagas, booking_id).await?;
                if booking.state != crate::domain::booking::BookingState::Processing {
                    return Ok(booking);
                }
                let look = Instant::now() + LOOK_AGAIN;
                if answer_by <= Instant::now() {
                    return Ok(booking);
                }
                wait_for(&mut changes, booking_id, look.min(answer_by)).await;
            }
        }
    }
}

/// Waits until `booking_id` changes as far as this instance knows, at most until `end`.
pub(crate) async fn wait_for(
    changes: &mut tokio::sync::broadcast::Receiver<Uuid>,
    booking_id: Uuid,
    end: Instant,
) {
    loop {
        match timeout_at(end, changes.recv()).await {
            Ok(Ok(changed)) if changed != booking_id => {}
            // Changes were missed: look.
            Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => return,
            Ok(Err(RecvError::Closed)) => return tokio::time::sleep_until(end).await,
        }
    }
}

async fn present(sagas: &Sagas, booking_id: Uuid) -> Result<Booking, Error> {
    let read = async move |connection: &mut Connection| {
        bookings::get(connection, booking_id, Lock::No).await
    };
    match sagas
        .inner
        .database
        .read(read)
        .await
        .map_err(TxError::widen)?
    {
        Some(booking) => Ok(booking),
        None => Err(BookingRefusal::HoldNotFound.into()),
    }
}

/// A booking that is about to be opened on a hold that its transaction has locked.
struct Opening<'a> {
    wanted: &'a CreateBooking,
    hold: &'a Hold,
    discounts: &'a [Discount],
    deadline: DateTime<Utc>,
    timings: &'a BookTimings,
    owner: &'a str,
    faults: &'a Faults,
}

impl Opening<'_> {
    /// Writes booking and saga, pins the hold, and says what is called first.
    async fn write(&self, connection: &mut Connection) -> Result<Opened, Error> {
        let (booking_id, saga_id) = (id::new(), id::new());
        let first = if self.discounts.is_empty() {
            (Step::Pay, PAY)
        } else {
            (Step::Coupons, COUPONS)
        };
        let reservation_id = id::derive(saga_id, "coupons/do");
        let new = NewBooking {
            booking_id,
            request_id: self.wanted.request_id,
            request_hash: &self.wanted.request_hash,
            method: self.wanted.method,
            payment_id: id::derive(saga_id, "pay/do"),
            payment_deadline_time: self.deadline,
            discounts: self.discounts,
            reservation_id: (!self.discounts.is_empty()).then_some(reservation_id),
        };
        let saga = NewSaga {
            saga_id,
            booking_id,
            owner: self.owner,
            lease: self.timings.lease,
            deadline_time: later(self.hold.max_expire_time, self.timings.unknown_max),
            step: first.0,
            traceparent: trace::current().map(|trace| trace.to_string()),
        };
        sagas::insert(connection, &saga).await?;
        self.faults.at(PIN.after_intent).await;
        bookings::insert(connection, &new, self.hold).await?;
        if !holds::turn(
            connection,
            self.hold.hold_id,
            HoldState::Held,
            HoldState::Paying,
        )
        .await?
        {
            return Err(BookingRefusal::HoldAlreadyBooked.into());
        }
        self.faults.at(PIN.after_effect).await;
        sagas::note(connection, saga_id, "open", Note::Ok, 1).await?;
        sagas::note(connection, saga_id, Step::Pin.name(), Note::Ok, 1).await?;
        self.faults.at(first.1.before_intent).await;
        sagas::note(connection, saga_id, first.0.name(), Note::Intent, 1).await?;
        let total = discounted(self.hold.total, self.discounts);
        let started = publish::started(booking_id, self.hold, total);
        outbox::append(connection, &started, booking_id).await?;
        Ok(Opened::New {
            booking_id,
            saga_id,
        })
    }
}

/// What the wanted coupons take off, or the booking that this request made before: it is answered while coupon-svc is away, too.
async fn discounts(
    sagas: &Sagas,
    wanted: &CreateBooking,
) -> Result<Result<Vec<Discount>, Opened>, Error> {
    if let Some(known) = known_before(sagas, wanted).await? {
        return Ok(Err(known));
    }
    let (account_id, hold_id) = (wanted.account_id, wanted.hold_id);
    let quote = quote_booking(sagas, account_id, hold_id, &wanted.coupons);
    match quote.await {
        Ok(quote) => Ok(Ok(quote.coupons.discounts)),
        // The first call with this id may have booked the hold and its coupons meanwhile: then that is the answer.
        Err(refusal) => match known_before(sagas, wanted).await? {
            Some(known) => Ok(Err(known)),
            None => Err(refusal),
        },
    }
}

async fn known_before(sagas: &Sagas, wanted: &CreateBooking) -> Result<Option<Opened>, Error> {
    let wanted = wanted.clone();
    let look = async move |connection: &mut Connection| known(connection, &wanted).await;
    let database = &sagas.inner.database;
    database.transaction("look for booking", look).await
}

async fn open_once(sagas: &Sagas, wanted: &CreateBooking) -> Result<Opened, Error> {
    let discounts = match wanted.coupons {
        CouponChoice::None => Vec::new(),
        CouponChoice::Chosen(_) | CouponChoice::Best => match discounts(sagas, wanted).await? {
            Ok(discounts) => discounts,
            Err(known) => return Ok(known),
        },
    };
    let (wanted, timings, owner) = (
        wanted.clone(),
        sagas.inner.timings,
        sagas.inner.owner.clone(),
    );
    let faults = sagas.inner.faults.clone();
    faults.at(PIN.before_intent).await;
    let opened = sagas
        .inner
        .database
        .transaction("open booking", async move |connection| {
            if let Some(known) = known(connection, &wanted).await? {
                return Ok(known);
            }
            let found = holds::load(connection, &[wanted.hold_id], Lock::ForUpdate)
                .await?
                .remove(&wanted.hold_id);
            // A call with the same request_id may have had the lock before us.
            if let Some(known) = known(connection, &wanted).await? {
                return Ok(known);
            }
            let hold = found.ok_or(BookingRefusal::HoldNotFound)?;
            let now = pg::now(connection).await?;
            let deadline = open(&wanted, &hold, &discounts, timings.payment, now)?;
            let opening = Opening {
                wanted: &wanted,
                hold: &hold,
                discounts: &discounts,
                deadline,
                timings: &timings,
                owner: &owner,
                faults: &faults,
            };
            opening.write(connection).await
        });
    opened.await
}

/// The booking that this request made before.
async fn known(
    connection: &mut Connection,
    wanted: &CreateBooking,
) -> Result<Option<Opened>, Error> {
    match bookings::by_request(connection, wanted.account_id, wanted.request_id).await? {
        None => Ok(None),
        Some(booking) if booking.request_hash == wanted.request_hash => Ok(Some(Opened::Known {
            booking_id: booking.booking_id,
        })),
        Some(_) => Err(BookingRefusal::RequestIdReused.into()),
    }
}
