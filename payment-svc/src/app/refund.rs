//! Decides a refund; [`super::send_refunds`] sends it.

use mesh::money::Money;
use mesh::pg::Connection;
use mesh::pg::audit::{self, Entry};
use mesh::pg::idempotency::RequestHash;
use uuid::Uuid;

use super::{App, Error, Refusal, lock, save};
use crate::domain::{Payment, RefundRow};
use crate::store;

/// Name of the method in the audit log.
const METHOD: &str = "usher.payment.v1.PaymentService/RefundPayment";
/// The refund id is taken.
const ID_TAKEN: &str = "refund_pkey";

/// A refund that somebody asks for.
#[derive(Clone, Debug)]
pub struct AskedRefund {
    /// Id of the request, and of the refund.
    pub refund_id: Uuid,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who asks.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Payment.
    pub payment_id: Uuid,
    /// How much; absent: all that is left.
    pub amount: Option<Money>,
}

impl App {
    /// Decides a refund, or answers the one that the same request decided before.
    pub async fn refund(&self, asked: AskedRefund) -> Result<(RefundRow, Payment), Error> {
        let (refund_id, payment_id) = (asked.refund_id, asked.payment_id);
        match self.refund_once(asked.clone()).await {
            Err(error) if error.constraint() == Some(ID_TAKEN) => self.refund_once(asked).await?,
            outcome => outcome?,
        }
        self.committed();
        Ok((
            self.refund_now(refund_id).await?,
            self.payment(payment_id).await?,
        ))
    }

    async fn refund_once(&self, asked: AskedRefund) -> Result<(), Error> {
        let decide = self
            .database
            .transaction("refund payment", async move |connection| {
                decide(connection, asked).await
            });
        decide.await
    }
}

/// Decides a refund, unless the same request did before. Calls and commands end here.
pub async fn decide(connection: &mut Connection, asked: AskedRefund) -> Result<(), Error> {
    let mut payment = lock(connection, asked.payment_id).await?;
    if let Some((first, hash)) = store::refund::find(connection, asked.refund_id).await? {
        let same =
            first.payment_id == asked.payment_id && hash.as_deref() == Some(&asked.hash.0[..]);
        return if same {
            Ok(())
        } else {
            Err(Refusal::RequestIdReused.into())
        };
    }
    let change = payment
        .refund(asked.refund_id, asked.amount)
        .map_err(Refusal::Rejected)?;
    save(connection, &payment, &change, Some(&asked.hash)).await?;
    let resource_id = asked.refund_id.to_string();
    let entry = Entry {
        method: METHOD,
        subject: &asked.subject,
        reason: &asked.reason,
        resource_id: &resource_id,
        code: tonic::Code::Ok,
    };
    audit::append(connection, &entry).await?;
    Ok(())
}
