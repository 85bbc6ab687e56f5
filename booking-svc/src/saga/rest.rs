//! How a saga rests: until it is due again, or until a person looks after it.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use mesh::outbox;
use mesh::pg::{self, TxError};
use mesh::random;
use proto::usher::booking::events::v1::IssueTicketsCommand;
use tracing::error;

use super::Sagas;
use super::book::{ALARM_ATTEMPTS, StepError};
use super::turn::later;
use crate::domain::saga::{Direction, Position};
use crate::store::bookings;
use crate::store::sagas::{self, Moved, Saga};

/// The same step after a pause, or a person when it failed for too long.
pub(super) async fn try_later(sagas: &Sagas, saga: Saga, problem: &str) -> Result<(), StepError> {
    let timings = &sagas.inner.timings;
    let attempt = u32::try_from(saga.attempts).unwrap_or_default();
    let pause = random::backoff(attempt, timings.retry_base, timings.retry_cap);
    let now = database_now(sagas).await?;
    // Going back is always safe to repeat, and what it frees is for sale again.
    if saga.at.direction == Direction::Forward && has_failed_for_long(sagas, &saga, now) {
        return park(sagas, saga, problem).await;
    }
    let due = later(now, pause);
    rest(
        sagas,
        &saga,
        Rest {
            problem: Some(problem.to_owned()),
            ..again(&saga, due)
        },
    )
    .await
}

/// Often, and a day after the beginning: one failure after a day without the database says nothing.
pub(super) fn has_failed_for_long(sagas: &Sagas, saga: &Saga, now: DateTime<Utc>) -> bool {
    let old = now >= later(saga.create_time, sagas.inner.timings.park_after);
    old && saga.attempts >= ALARM_ATTEMPTS
}

/// A step that failed for so long needs a person.
pub(super) async fn park(sagas: &Sagas, saga: Saga, problem: &str) -> Result<(), StepError> {
    let (saga_id, step) = (saga.saga_id, saga.at.step.name());
    error!(%saga_id, booking_id = %saga.booking_id, "saga {saga_id} is parked at {step}: {problem}");
    metrics::counter!("usher_saga_alarms_total", "alarm" => "parked").increment(1);
    let (reason, by) = (
        format!("{step} failed for too long: {problem}"),
        sagas.inner.owner.clone(),
    );
    let parked = sagas
        .inner
        .background
        .transaction("park saga", async move |connection| {
            let parked = sagas::park(connection, &saga, &reason, &by).await?;
            Ok::<_, TxError<Infallible>>(parked)
        });
    if parked.await? {
        Ok(())
    } else {
        Err(StepError::Fenced)
    }
}

/// How a saga is left until it is due.
#[derive(Clone)]
pub(super) struct Rest {
    pub(super) to: Position,
    pub(super) attempts: i32,
    pub(super) due: DateTime<Utc>,
    pub(super) problem: Option<String>,
    pub(super) also: Also,
}

/// What is written beside the position.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Also {
    Nothing,
    AwaitPayment,
    RemindOfTickets,
}

/// The same step once more.
pub(super) fn again(saga: &Saga, due: DateTime<Utc>) -> Rest {
    let attempts = saga.attempts.saturating_add(1);
    Rest {
        to: saga.at,
        attempts,
        due,
        problem: None,
        also: Also::Nothing,
    }
}

pub(super) async fn rest(sagas: &Sagas, saga: &Saga, rest: Rest) -> Result<(), StepError> {
    let (saga_id, lease_gen, booking_id, released) =
        (saga.saga_id, saga.lease_gen, saga.booking_id, saga.released);
    let written = sagas
        .inner
        .background
        .transaction("saga rest", async move |connection| {
            let moved = Moved {
                to: rest.to,
                attempts: rest.attempts,
                due: Some(rest.due),
                released,
                error: rest.problem.as_deref(),
            };
            if !sagas::advance(connection, saga_id, lease_gen, &moved).await? {
                return Ok(false);
            }
            match rest.also {
                Also::Nothing => {}
                Also::AwaitPayment => bookings::await_payment(connection, booking_id).await?,
                Also::RemindOfTickets => {
                    let command = IssueTicketsCommand {
                        booking_id: booking_id.to_string(),
                    };
                    outbox::append(connection, &command, booking_id).await?;
                }
            }
            Ok::<_, TxError<Infallible>>(true)
        });
    if written.await? {
        Ok(())
    } else {
        Err(StepError::Fenced)
    }
}

pub(super) async fn database_now(sagas: &Sagas) -> Result<DateTime<Utc>, StepError> {
    Ok(sagas
        .inner
        .background
        .read(async |connection| pg::now(connection).await)
        .await?)
}
