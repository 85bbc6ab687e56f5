//! Makes sure that no money stays.

use mesh::pg::audit::{self, Entry};
use mesh::pg::idempotency::{self, Begun, Key, RequestHash};
use mesh::pg::{Connection, now};
use uuid::Uuid;

use super::{App, Error, Refusal, save};
use crate::domain::{Event, Ladder, State};
use crate::publish::{self, About};
use crate::store;
use crate::store::payment::{Stored, Tombstone, constraint};

/// Name of the method in the idempotency table and the audit log.
const METHOD: &str = "usher.payment.v1.PaymentService/CancelPayment";

/// Which payment to call off.
#[derive(Clone, Copy, Debug)]
pub struct Cancel {
    /// Payment, known or not.
    pub payment_id: Uuid,
    /// Booking it belongs to.
    pub booking_id: Uuid,
}

/// A cancel that was asked for by a call rather than a message.
#[derive(Clone, Debug)]
pub struct CancelCall {
    /// Id of the request.
    pub request_id: Uuid,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who asks.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Which payment.
    pub cancel: Cancel,
}

impl App {
    /// Calls a payment off. A repetition has no second effect and tells the end again.
    pub async fn cancel(&self, call: CancelCall) -> Result<Stored, Error> {
        match self.cancel_once(call.clone()).await {
            // Another call made the row meanwhile: now it is there to be locked.
            Err(error) if error.constraint() == Some(constraint::ID) => {
                self.cancel_once(call).await
            }
            outcome => outcome,
        }
    }

    async fn cancel_once(&self, call: CancelCall) -> Result<Stored, Error> {
        let ladder = self.timings.ladder.clone();
        let work = self
            .database
            .transaction("cancel payment", async move |connection| {
                // Peers have no account; their request ids share the nil one.
                let key = Key {
                    account_id: Uuid::nil(),
                    method: METHOD,
                    request_id: call.request_id,
                };
                let begun = idempotency::begin(connection, key, call.hash).await?;
                let stored = cancel(connection, call.cancel, &ladder).await?;
                match begun {
                    Begun::First(first) => first.record(connection, call.cancel.payment_id).await?,
                    Begun::Replay { .. } => return Ok(stored),
                    Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                    Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
                }
                let resource_id = call.cancel.payment_id.to_string();
                let entry = Entry {
                    method: METHOD,
                    subject: &call.subject,
                    reason: &call.reason,
                    resource_id: &resource_id,
                    code: tonic::Code::Ok,
                };
                audit::append(connection, &entry).await?;
                Ok(stored)
            });
        let stored = work.await?;
        self.committed();
        Ok(stored)
    }
}

/// Calls a payment off in the caller's transaction.
pub(crate) async fn cancel(
    connection: &mut Connection,
    cancel: Cancel,
    ladder: &Ladder,
) -> Result<Stored, Error> {
    let about = About {
        payment_id: cancel.payment_id,
        booking_id: cancel.booking_id,
    };
    match store::payment::lock(connection, cancel.payment_id).await? {
        None => {
            let create_time = now(connection).await?;
            let tombstone = Tombstone {
                payment_id: cancel.payment_id,
                booking_id: cancel.booking_id,
                create_time,
            };
            store::payment::insert_tombstone(connection, &tombstone).await?;
            publish::event(connection, about, &Event::Cancelled).await?;
            Ok(Stored::Tombstone(tombstone))
        }
        Some(Stored::Tombstone(tombstone)) if tombstone.booking_id == cancel.booking_id => {
            publish::event(connection, about, &Event::Cancelled).await?;
            Ok(Stored::Tombstone(tombstone))
        }
        Some(Stored::Payment(mut payment, hash)) if payment.booking_id == cancel.booking_id => {
            let undone = match payment.state {
                State::Refunded => store::refund::last_done(connection, payment.payment_id).await?,
                _ => None,
            };
            let change = payment.cancel(undone.as_ref(), ladder, now(connection).await?);
            save(connection, &payment, &change, None).await?;
            Ok(Stored::Payment(payment, hash))
        }
        Some(_) => Err(Refusal::NotFound.into()),
    }
}
