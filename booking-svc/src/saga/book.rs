//! The steps of the saga `book`.

use std::convert::Infallible;

use mesh::pg::{self, TxError};
use thiserror::Error;
use tracing::{error, warn};

use super::Sagas;
use super::reserve::reserve;
use super::rest::{Also, Rest, again, database_now, has_failed_for_long, park, rest, try_later};
use super::turn::{carry_out, later};
use super::{confirm, free, moments};
use crate::app::inventory::Failure;
use crate::clients::{Known, PaymentOrder};
use crate::domain::booking::Booking;
use crate::domain::saga::{
    Direction, Position, State, Step, Turn, give_up, learn, reason, stop_waiting,
};
use crate::store::bookings;
use crate::store::holds::Lock;
use crate::store::sagas::{self, Saga};

/// Rounds of tries to open a payment, or to reserve coupons, before the saga gives up: about a minute.
pub(super) const OPEN_ATTEMPTS_MAX: i32 = 6;
/// Attempts after the pivot that raise an alarm. They go on: what is paid is sold.
pub(super) const ALARM_ATTEMPTS: i32 = 10;
/// Longest order name that providers take.
const ORDER_NAME_MAX: usize = 100;

/// Why a step was not taken. The lease ends by itself and somebody tries again.
#[derive(Debug, Error)]
pub(super) enum StepError {
    /// Somebody else has the saga.
    #[error("the lease was taken over")]
    Fenced,
    /// The database.
    #[error("the step was not written")]
    Database(#[from] TxError<Infallible>),
}

/// Takes the step that a leased saga is at, and those that follow at once.
pub(super) async fn step(sagas: &Sagas, saga: Saga) -> Result<(), StepError> {
    let Some(booking) = load(sagas, &saga).await? else {
        error!(saga_id = %saga.saga_id, "saga {} has no booking", saga.saga_id);
        return Ok(());
    };
    if matches!(
        saga.at.state,
        State::Done | State::Compensated | State::Parked
    ) {
        return Ok(());
    }
    match (saga.at.direction, saga.at.step, saga.at.state) {
        (Direction::Forward, Step::Coupons, _) => reserve(sagas, saga, booking).await,
        (Direction::Forward, Step::Pay, State::Running) => open_payment(sagas, saga, booking).await,
        (_, Step::Pay, _) => ask_payment(sagas, saga, booking).await,
        (Direction::Forward, Step::Confirm, _) => sell(sagas, saga, booking).await,
        (Direction::Forward, Step::Tickets, _) => remind_of_tickets(sagas, saga).await,
        (Direction::Back, Step::Pin | Step::Coupons | Step::Confirm | Step::Tickets, _)
        | (Direction::Forward, Step::Pin, _) => give_units_back(sagas, saga, booking).await,
    }
}

async fn load(sagas: &Sagas, saga: &Saga) -> Result<Option<Booking>, StepError> {
    let booking_id = saga.booking_id;
    let read = async move |connection: &mut pg::Connection| {
        bookings::get(connection, booking_id, Lock::No).await
    };
    Ok(sagas.inner.background.read(read).await?)
}

/// The pivot. Its intent was committed with the opening of the saga; every try has the same key.
pub(super) async fn open_payment(
    sagas: &Sagas,
    saga: Saga,
    booking: Booking,
) -> Result<(), StepError> {
    let booking_id = booking.booking_id;
    let read =
        async move |connection: &mut pg::Connection| bookings::titles(connection, booking_id).await;
    let titles = sagas.inner.background.read(read).await?;
    let order = PaymentOrder {
        payment_id: booking.payment_id,
        booking_id,
        account_id: booking.account_id,
        order_name: order_name(&titles),
        amount: booking.total,
        method: booking.method,
        expire_time: booking.payment_deadline_time,
    };
    let faults = &sagas.inner.faults;
    faults.at(moments::PAY.after_intent).await;
    let known = sagas.inner.payments.open(&order).await;
    faults.at(moments::PAY.after_effect).await;
    match known {
        Known::Open => wait_for_buyer(sagas, saga, &booking).await,
        Known::News(news) => match learn(saga.at, &news) {
            Some(turn) => {
                let saga = turn_now(sagas, saga, &booking, turn).await?;
                // FREE is paid at once: go on and sell without waiting for the runner.
                match saga {
                    Some(saga) if saga.at.step == Step::Confirm => sell(sagas, saga, booking).await,
                    _ => Ok(()),
                }
            }
            None => Ok(()),
        },
        Known::Absent | Known::Unclear(_) if saga.attempts + 1 >= OPEN_ATTEMPTS_MAX => {
            warn!(saga_id = %saga.saga_id, "payment {} cannot be opened", booking.payment_id);
            turn_now(sagas, saga, &booking, give_up(reason::PAYMENT_UNAVAILABLE)).await?;
            Ok(())
        }
        Known::Absent => {
            try_later(sagas, saga, "payment-svc does not know what it just opened").await
        }
        Known::Unclear(problem) => try_later(sagas, saga, &problem).await,
    }
}

fn order_name(titles: &[String]) -> String {
    let name: String = titles.join(", ").chars().take(ORDER_NAME_MAX).collect();
    if name.trim().is_empty() {
        "booking".to_owned()
    } else {
        name
    }
}

async fn wait_for_buyer(sagas: &Sagas, saga: Saga, booking: &Booking) -> Result<(), StepError> {
    let due = later(booking.payment_deadline_time, sagas.inner.timings.ask_after);
    let to = Position {
        state: State::Waiting,
        ..saga.at
    };
    rest(
        sagas,
        &saga,
        Rest {
            to,
            attempts: 0,
            due,
            problem: None,
            also: Also::AwaitPayment,
        },
    )
    .await
}

/// A payment that should have told its end by now, or a cancel that was not answered.
async fn ask_payment(sagas: &Sagas, saga: Saga, booking: Booking) -> Result<(), StepError> {
    let known = sagas
        .inner
        .payments
        .ask(booking.payment_id, booking.total)
        .await;
    let turn = match &known {
        Known::News(news) => learn(saga.at, news),
        Known::Open | Known::Absent | Known::Unclear(_) => None,
    };
    let now = database_now(sagas).await?;
    let overdue = now >= saga.deadline_time;
    // Money that is still on its way back keeps the units no longer than the deadline either.
    let stays = |turn: &Turn| (turn.to.direction, turn.to.step) == (Direction::Back, Step::Pay);
    if let Some(turn) = turn.filter(|turn| !(overdue && stays(turn))) {
        turn_now(sagas, saga, &booking, turn).await?;
        return Ok(());
    }
    if overdue {
        error!(saga_id = %saga.saga_id, payment_id = %booking.payment_id,
            "payment {} is unknown for too long: its units are freed, money found later is refunded", booking.payment_id);
        metrics::counter!("usher_saga_alarms_total", "alarm" => "payment_unknown").increment(1);
        let turn = match saga.at.direction {
            Direction::Back => stop_waiting(),
            Direction::Forward => Turn {
                to: stop_waiting().to,
                ..give_up(reason::PAYMENT_UNAVAILABLE)
            },
        };
        turn_now(sagas, saga, &booking, turn).await?;
        return Ok(());
    }
    let problem = match known {
        Known::Unclear(problem) => Some(problem),
        Known::Open | Known::Absent | Known::News(_) => None,
    };
    let due = later(now, sagas.inner.timings.ask_after).min(saga.deadline_time);
    rest(
        sagas,
        &saga,
        Rest {
            problem,
            ..again(&saga, due)
        },
    )
    .await
}

/// Sells the units: hold, counters, booking and event in the batch of the inventory.
async fn sell(sagas: &Sagas, saga: Saga, booking: Booking) -> Result<(), StepError> {
    let faults = &sagas.inner.faults;
    faults.at(moments::CONFIRM.before_intent).await;
    match confirm::submit(sagas, &saga, &booking).await {
        Ok(_) => {
            faults.at(moments::CONFIRM.after_result).await;
            Ok(())
        }
        Err(Failure::Fenced) => Err(StepError::Fenced),
        Err(Failure::Rejected(rejection)) => {
            error!(saga_id = %saga.saga_id, booking_id = %booking.booking_id,
                "booking {} is paid and its units are gone ({rejection}): the money goes back", booking.booking_id);
            metrics::counter!("usher_saga_alarms_total", "alarm" => "hold_lost").increment(1);
            turn_now(sagas, saga, &booking, give_up(reason::HOLD_LOST)).await?;
            Ok(())
        }
        Err(failure) => {
            if saga.attempts + 1 == ALARM_ATTEMPTS {
                error!(saga_id = %saga.saga_id, "booking {} is paid and cannot be confirmed: {failure}", booking.booking_id);
                metrics::counter!("usher_saga_alarms_total", "alarm" => "confirm_stuck")
                    .increment(1);
            }
            try_later(sagas, saga, &failure.to_string()).await
        }
    }
}

/// The event of the confirmation should have led to tickets by now.
async fn remind_of_tickets(sagas: &Sagas, saga: Saga) -> Result<(), StepError> {
    let now = database_now(sagas).await?;
    let timings = &sagas.inner.timings;
    if has_failed_for_long(sagas, &saga, now) {
        return park(sagas, saga, "no tickets were issued").await;
    }
    let due = later(now, timings.tickets_after);
    rest(
        sagas,
        &saga,
        Rest {
            also: Also::RemindOfTickets,
            ..again(&saga, due)
        },
    )
    .await
}

async fn give_units_back(sagas: &Sagas, saga: Saga, booking: Booking) -> Result<(), StepError> {
    let faults = &sagas.inner.faults;
    faults.at(moments::UNDO_PIN.before_intent).await;
    match free::submit(sagas, &saga, &booking).await {
        Ok(_) => {
            faults.at(moments::UNDO_PIN.after_result).await;
            Ok(())
        }
        Err(Failure::Fenced) => Err(StepError::Fenced),
        Err(failure) => try_later(sagas, saga, &failure.to_string()).await,
    }
}

/// Carries a turn out under the lease and answers the saga as it is after it.
pub(super) async fn turn_now(
    sagas: &Sagas,
    saga: Saga,
    booking: &Booking,
    turn: Turn,
) -> Result<Option<Saga>, StepError> {
    let (timings, booking) = (sagas.inner.timings, booking.clone());
    let written = sagas
        .inner
        .background
        .transaction("saga turn", async move |connection| {
            let Some(locked) = sagas::lock(connection, saga.saga_id).await? else {
                return Ok(None);
            };
            if locked.lease_gen != saga.lease_gen {
                return Ok(None);
            }
            if !carry_out(connection, &locked, &booking, &turn, &timings).await? {
                return Ok(None);
            }
            Ok::<_, TxError<Infallible>>(sagas::get(connection, saga.saga_id).await?)
        });
    match written.await? {
        Some(saga) => Ok(Some(saga)),
        None => Err(StepError::Fenced),
    }
}
