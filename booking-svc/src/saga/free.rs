//! The end of a saga that went back: the units are freed in the inventory's batch, together with the saga's last entry.

use std::sync::Arc;

use diesel::QueryResult;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::faults::Faults;
use mesh::pg::Connection;
use uuid::Uuid;

use super::Sagas;
use super::confirm::lock_leased;
use super::moments::UNDO_PIN;
use crate::app::inventory::{Failure, Rider};
use crate::domain::booking::Booking;
use crate::domain::hold::Hold;
use crate::domain::inventory::Command;
use crate::domain::saga::{Direction, Note, Position, State, Step};
use crate::store::sagas::{self, Moved, Saga};

struct Free {
    saga: Saga,
    faults: Faults,
}

/// Frees what the saga pinned.
pub(super) async fn submit(sagas: &Sagas, saga: &Saga, booking: &Booking) -> Result<Hold, Failure> {
    let command = Command::Free {
        hold_id: booking.hold_id,
        released: saga.released,
    };
    let rider = Free {
        saga: saga.clone(),
        faults: sagas.inner.faults.clone(),
    };
    sagas
        .inner
        .inventory
        .submit_with(command, Arc::new(rider))
        .await
}

impl Rider for Free {
    fn lock<'a>(&'a self, connection: &'a mut Connection) -> BoxFuture<'a, QueryResult<bool>> {
        async move {
            let ours = lock_leased(connection, &self.saga).await?;
            self.faults.at(UNDO_PIN.after_intent).await;
            Ok(ours)
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        connection: &'a mut Connection,
        _: &'a Hold,
    ) -> BoxFuture<'a, QueryResult<()>> {
        async move {
            let moved = Moved {
                to: Position {
                    state: State::Compensated,
                    direction: Direction::Back,
                    step: Step::Pin,
                },
                attempts: 0,
                due: None,
                released: self.saga.released,
                error: None,
            };
            let (saga_id, lease_gen) = (self.saga.saga_id, self.saga.lease_gen);
            sagas::advance(connection, saga_id, lease_gen, &moved).await?;
            sagas::note(
                connection,
                saga_id,
                Step::Pin.name(),
                Note::UndoOk,
                lease_gen,
            )
            .await?;
            self.faults.at(UNDO_PIN.after_effect).await;
            Ok(())
        }
        .boxed()
    }

    fn order(&self) -> Uuid {
        self.saga.saga_id
    }
}
