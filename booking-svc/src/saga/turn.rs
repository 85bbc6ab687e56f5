//! Carries a turn of the saga out: position, timeline, booking, hold and messages, in one transaction.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use mesh::outbox;
use mesh::pg::{self, Connection};
use proto::usher::booking::events::v1::CancelPaymentCommand;
use proto::usher::r#type::v1 as pb;
use uuid::Uuid;

use crate::app::timings::BookTimings;
use crate::domain::booking::{Booking, expiry_after_decline};
use crate::domain::hold::HoldState;
use crate::domain::saga::{
    BookingTurn, Direction, HoldTurn, News, Note, State, Step, Turn, learn, reason,
};
use crate::publish;
use crate::store::bookings;
use crate::store::holds::{self, Lock};
use crate::store::sagas::{self, Moved, Saga};

/// Carries `turn` out on a locked saga. False: the saga was somebody else's by then, and nothing was written.
pub async fn carry_out(
    connection: &mut Connection,
    saga: &Saga,
    booking: &Booking,
    turn: &Turn,
    timings: &BookTimings,
) -> QueryResult<bool> {
    let abandoned =
        matches!(&turn.booking, BookingTurn::Fail { reason, .. } if *reason == reason::ABANDONED);
    let now = pg::now(connection).await?;
    let moved = Moved {
        to: turn.to,
        attempts: 0,
        due: due(saga, booking, turn, timings, now),
        released: saga.released || abandoned,
        error: None,
    };
    if !sagas::advance(connection, saga.saga_id, saga.lease_gen, &moved).await? {
        return Ok(false);
    }
    let (step, note) = turn.note;
    sagas::note(connection, saga.saga_id, step.name(), note, saga.lease_gen).await?;
    if let Some(next) = turn.intent {
        sagas::note(
            connection,
            saga.saga_id,
            next.name(),
            Note::Intent,
            saga.lease_gen,
        )
        .await?;
    }
    bookings::turn(connection, booking.booking_id, &turn.booking).await?;
    turn_hold(connection, booking, turn.hold, timings, now).await?;
    if let BookingTurn::Fail { reason, .. } = &turn.booking {
        let failed = publish::failed(booking, reason, now);
        outbox::append(connection, &failed, booking.booking_id).await?;
        // Reserved, refused or unknown: a reservation that comes later finds that it was released.
        if let Some(command) = publish::release_coupons(booking) {
            outbox::append(connection, &command, booking.booking_id).await?;
        }
    }
    if turn.cancel_payment {
        let command = CancelPaymentCommand {
            payment_id: booking.payment_id.to_string(),
            booking_id: booking.booking_id.to_string(),
            saga_id: saga.saga_id.to_string(),
            reason: cancel_reason(turn).to_owned(),
        };
        outbox::append(connection, &command, booking.booking_id).await?;
    }
    Ok(true)
}

fn cancel_reason(turn: &Turn) -> &'static str {
    match &turn.booking {
        BookingTurn::Fail { reason, .. } => reason,
        BookingTurn::Keep | BookingTurn::ShowDecline { .. } => "the booking has ended",
    }
}

/// When a saga in its new position has to be looked at again; `None`: now.
fn due(
    saga: &Saga,
    booking: &Booking,
    turn: &Turn,
    timings: &BookTimings,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match (turn.to.state, turn.to.direction, turn.to.step) {
        (State::Done | State::Compensated | State::Parked, ..) => Some(now),
        // A declined buyer may try again until the payment's deadline; then it is asked about.
        (State::Waiting, Direction::Forward, Step::Pay) => {
            Some(later(booking.payment_deadline_time, timings.ask_after))
        }
        // The answer to the cancel is awaited; asked about meanwhile, and at the latest when the payment may keep the units no longer.
        (_, Direction::Back, Step::Pay) => {
            Some(later(now, timings.ask_after).min(saga.deadline_time))
        }
        _ => None,
    }
}

async fn turn_hold(
    connection: &mut Connection,
    booking: &Booking,
    turn: HoldTurn,
    timings: &BookTimings,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    match turn {
        HoldTurn::Keep => {}
        HoldTurn::Close => {
            holds::turn(
                connection,
                booking.hold_id,
                HoldState::Paying,
                HoldState::Closing,
            )
            .await?;
        }
        HoldTurn::BackToHeld => {
            let mut found = holds::load(connection, &[booking.hold_id], Lock::ForUpdate).await?;
            if let Some(hold) = found.remove(&booking.hold_id) {
                let expire_time = expiry_after_decline(&hold, timings.after_decline, now);
                holds::back_to_held(connection, booking.hold_id, expire_time).await?;
            }
        }
    }
    Ok(())
}

/// What became of a payment, as an event says it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Booking.
    pub booking_id: Uuid,
    /// Payment.
    pub payment_id: Uuid,
    /// What became of it.
    pub news: News,
    /// Amount that was taken, when the news is that money was.
    pub amount: Option<pb::Money>,
}

/// Tells a booking's saga what became of its payment. Nothing happens when it is known already, or concerns another payment.
pub async fn tell(
    connection: &mut Connection,
    told: &Told,
    timings: &BookTimings,
) -> QueryResult<()> {
    let Some(saga) = sagas::lock_of_booking(connection, told.booking_id).await? else {
        return Ok(());
    };
    let Some(booking) = bookings::get(connection, told.booking_id, Lock::ForUpdate).await? else {
        return Ok(());
    };
    if booking.payment_id != told.payment_id || saga.at.state == State::Parked {
        return Ok(());
    }
    let wrong = told.news == News::Captured && told.amount != Some(booking.total.into());
    let news = if wrong {
        &News::WrongAmount
    } else {
        &told.news
    };
    if let Some(turn) = learn(saga.at, news) {
        carry_out(connection, &saga, &booking, &turn, timings).await?;
    }
    Ok(())
}

pub(crate) fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    time + TimeDelta::from_std(by).unwrap_or(TimeDelta::zero())
}
