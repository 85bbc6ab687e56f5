//! Reads that change nothing.

use mesh::page::{Page, PageRequest};
use uuid::Uuid;

use super::{App, Error, Refusal};
use crate::domain::{Payment, RefundRow};
use crate::store;
use crate::store::list::{After, Filter};
use crate::store::payment::Stored;

/// Who may see which payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Sees what is its own.
    Account(Uuid),
    /// An operator or a peer: sees all.
    Everyone,
}

impl App {
    /// What stands under this id, if `viewer` may see it. A tombstone has no owner and shows to peers and operators alone.
    pub async fn get(&self, payment_id: Uuid, viewer: Viewer) -> Result<Stored, Error> {
        let stored = self.stored(payment_id).await?;
        let visible = match (&stored, viewer) {
            (_, Viewer::Everyone) => true,
            (Stored::Payment(payment, _), Viewer::Account(account_id)) => {
                payment.account_id == account_id
            }
            (Stored::Tombstone(_), Viewer::Account(_)) => false,
        };
        if visible {
            Ok(stored)
        } else {
            Err(Refusal::NotFound.into())
        }
    }

    /// What stands under this id with its refunds, oldest first, if `viewer` may see it.
    pub async fn get_with_refunds(
        &self,
        payment_id: Uuid,
        viewer: Viewer,
    ) -> Result<(Stored, Vec<RefundRow>), Error> {
        let stored = self.get(payment_id, viewer).await?;
        let read = self
            .database
            .transaction("read refunds", async move |connection| {
                Ok(store::refund::of_payment(connection, payment_id).await?)
            });
        let refunds: Vec<RefundRow> = read.await?;
        Ok((stored, refunds))
    }

    /// One page of payments.
    pub async fn list(
        &self,
        filter: Filter,
        page: PageRequest<After>,
    ) -> Result<Page<Payment, After>, Error> {
        let (after, fetch) = (page.after, page.fetch());
        let found = self
            .database
            .transaction("list payments", async move |connection| {
                Ok(store::list::page(connection, filter, after, fetch).await?)
            });
        let found: Vec<Payment> = found.await?;
        Ok(page.cut(found, |payment| (payment.create_time, payment.payment_id)))
    }

    /// The payment as it is now.
    pub(super) async fn payment(&self, payment_id: Uuid) -> Result<Payment, Error> {
        match self.stored(payment_id).await? {
            Stored::Payment(payment, _) => Ok(*payment),
            Stored::Tombstone(_) => Err(Refusal::NotFound.into()),
        }
    }

    /// The refund as it is now.
    pub(super) async fn refund_now(&self, refund_id: Uuid) -> Result<RefundRow, Error> {
        let find = self
            .database
            .transaction("read refund", async move |connection| {
                Ok(store::refund::find(connection, refund_id).await?)
            });
        let found: Option<(RefundRow, _)> = find.await?;
        found
            .map(|(refund, _)| refund)
            .ok_or_else(|| Refusal::NotFound.into())
    }

    async fn stored(&self, payment_id: Uuid) -> Result<Stored, Error> {
        // Two statements (payment, attempt), so a transaction: a page must not show an attempt of another moment.
        let find = self
            .database
            .transaction("read payment", async move |connection| {
                Ok(store::payment::find(connection, payment_id).await?)
            });
        let stored: Option<Stored> = find.await?;
        stored.ok_or_else(|| Refusal::NotFound.into())
    }
}
