//! The sale: rides with the inventory's batch, so that counters, hold, booking, saga and event commit together.

use std::sync::Arc;

use diesel::QueryResult;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::faults::Faults;
use mesh::outbox;
use mesh::pg::{self, Connection};
use uuid::Uuid;

use super::Sagas;
use super::moments::CONFIRM;
use super::turn::later;
use crate::app::inventory::{Failure, Rider};
use crate::domain::booking::Booking;
use crate::domain::hold::{Hold, HoldState};
use crate::domain::inventory::Command;
use crate::domain::saga::{Direction, Note, Position, State, Step};
use crate::publish;
use crate::store::bookings;
use crate::store::holds::Lock;
use crate::store::sagas::{self, Moved, Saga};

struct Confirm {
    saga: Saga,
    booking: Booking,
    tickets_after: std::time::Duration,
    faults: Faults,
}

/// Sells what the saga pinned.
pub(super) async fn submit(sagas: &Sagas, saga: &Saga, booking: &Booking) -> Result<Hold, Failure> {
    let rider = Confirm {
        saga: saga.clone(),
        booking: booking.clone(),
        tickets_after: sagas.inner.timings.tickets_after,
        faults: sagas.inner.faults.clone(),
    };
    let command = Command::Confirm {
        hold_id: booking.hold_id,
    };
    sagas
        .inner
        .inventory
        .submit_with(command, Arc::new(rider))
        .await
}

impl Rider for Confirm {
    fn lock<'a>(&'a self, connection: &'a mut Connection) -> BoxFuture<'a, QueryResult<bool>> {
        async move {
            let ours = lock_leased(connection, &self.saga).await?;
            self.faults.at(CONFIRM.after_intent).await;
            Ok(ours)
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        connection: &'a mut Connection,
        hold: &'a Hold,
    ) -> BoxFuture<'a, QueryResult<()>> {
        async move {
            debug_assert_eq!(
                hold.state,
                HoldState::Confirmed,
                "the command confirms or is refused"
            );
            let confirmed = bookings::confirm(connection, self.booking.booking_id).await?;
            let event = publish::confirmed(&self.booking, confirmed);
            outbox::append(connection, &event, self.booking.booking_id).await?;
            if let Some(command) = publish::commit_coupons(&self.booking) {
                outbox::append(connection, &command, self.booking.booking_id).await?;
            }
            let now = pg::now(connection).await?;
            let moved = Moved {
                to: Position {
                    state: State::Waiting,
                    direction: Direction::Forward,
                    step: Step::Tickets,
                },
                attempts: 0,
                due: Some(later(now, self.tickets_after)),
                released: false,
                error: None,
            };
            let (saga_id, lease_gen) = (self.saga.saga_id, self.saga.lease_gen);
            sagas::advance(connection, saga_id, lease_gen, &moved).await?;
            sagas::note(
                connection,
                saga_id,
                Step::Confirm.name(),
                Note::Ok,
                lease_gen,
            )
            .await?;
            self.faults.at(CONFIRM.after_effect).await;
            Ok(())
        }
        .boxed()
    }

    fn order(&self) -> Uuid {
        self.saga.saga_id
    }
}

/// Locks the saga and its booking. Answers whether the saga is still under the lease it was read with.
pub(super) async fn lock_leased(connection: &mut Connection, saga: &Saga) -> QueryResult<bool> {
    let Some(locked) = sagas::lock(connection, saga.saga_id).await? else {
        return Ok(false);
    };
    bookings::get(connection, saga.booking_id, Lock::ForUpdate).await?;
    Ok(locked.lease_gen == saga.lease_gen)
}
