//! Opens a payment.

use mesh::pg::idempotency::RequestHash;
use mesh::pg::now;

use super::{App, Error, Refusal};
use crate::domain::{NewPayment, Payment, Rejection};
use crate::publish;
use crate::store;
use crate::store::payment::{Stored, constraint};

impl App {
    /// Opens a payment, or answers the one that the same request opened before. A cancel that came first refuses it.
    pub async fn create(&self, new: NewPayment, hash: RequestHash) -> Result<Payment, Error> {
        if new
            .provider
            .as_deref()
            .is_some_and(|name| self.providers.get(name).is_none())
        {
            return Err(Refusal::UnknownProvider.into());
        }
        let outcome = match self.create_once(&new, hash).await {
            // Another call with this id came first: now its row is there to be compared.
            Err(error) if error.constraint() == Some(constraint::ID) => {
                self.create_once(&new, hash).await
            }
            outcome => outcome,
        };
        match outcome {
            Err(error) if error.constraint() == Some(constraint::LIVE_BOOKING) => {
                Err(Refusal::LiveBooking.into())
            }
            outcome => outcome,
        }
    }

    async fn create_once(&self, new: &NewPayment, hash: RequestHash) -> Result<Payment, Error> {
        let new = new.clone();
        let create = self
            .database
            .transaction(
                "create payment",
                async move |connection| match store::payment::find(connection, new.payment_id)
                    .await?
                {
                    Some(Stored::Tombstone(_)) => {
                        Err(Refusal::Rejected(Rejection::Cancelled).into())
                    }
                    Some(Stored::Payment(payment, first)) if first == hash => Ok(*payment),
                    Some(Stored::Payment(..)) => Err(Refusal::RequestIdReused.into()),
                    None => {
                        let (payment, change) = Payment::open(new, now(connection).await?);
                        store::payment::insert(connection, &payment, &hash, &change).await?;
                        for event in &change.events {
                            publish::event(connection, (&payment).into(), event).await?;
                        }
                        Ok(payment)
                    }
                },
            );
        let payment = create.await?;
        self.committed();
        Ok(payment)
    }
}
