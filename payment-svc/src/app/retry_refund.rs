//! Sends a refund again that was parked; [`super::send_refunds`] reads the provider's record first.

use mesh::pg::Connection;
use mesh::pg::audit::{self, Entry};
use mesh::pg::idempotency::{self, Begun, Key, RequestHash};
use mesh::pg::now;
use uuid::Uuid;

use super::{App, Error, Refusal, lock, save};
use crate::domain::{Ladder, Payment, RefundRow};
use crate::store::refund;

/// Name of the method in the idempotency table and the audit log.
const METHOD: &str = "usher.payment.v1.PaymentService/RetryRefund";

/// A retry that an operator asks for.
#[derive(Clone, Debug)]
pub struct AskedRetry {
    /// Id of the request.
    pub request_id: Uuid,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who asks.
    pub account_id: Uuid,
    /// Refund.
    pub refund_id: Uuid,
    /// Why.
    pub reason: String,
}

impl App {
    /// Makes a parked refund due again. A replay changes nothing.
    pub async fn retry_refund(&self, asked: AskedRetry) -> Result<(RefundRow, Payment), Error> {
        let (refund_id, ladder) = (asked.refund_id, self.timings.ladder.clone());
        let work = self
            .database
            .transaction("retry refund", async move |connection| {
                retry(connection, &asked, &ladder).await
            });
        work.await?;
        self.committed();
        let refund = self.refund_now(refund_id).await?;
        let payment = self.payment(refund.payment_id).await?;
        Ok((refund, payment))
    }
}

async fn retry(
    connection: &mut Connection,
    asked: &AskedRetry,
    ladder: &Ladder,
) -> Result<(), Error> {
    let key = Key {
        account_id: asked.account_id,
        method: METHOD,
        request_id: asked.request_id,
    };
    let first = match idempotency::begin(connection, key, asked.hash).await? {
        Begun::First(first) => first,
        Begun::Replay { .. } => return Ok(()),
        Begun::Reused => return Err(Refusal::RequestIdReused.into()),
        Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
    };
    let find = refund::find(connection, asked.refund_id).await?;
    let (found, _) = find.ok_or(Refusal::RefundNotFound)?;
    let mut payment = lock(connection, found.payment_id).await?;
    // The payment is the lock of its refunds: what was read before it may be over.
    let find = refund::find(connection, asked.refund_id).await?;
    let (parked, _) = find.ok_or(Refusal::RefundNotFound)?;
    let (retried, change) = payment
        .retry_refund(&parked, ladder, now(connection).await?)
        .map_err(Refusal::Rejected)?;
    refund::retry(connection, &retried).await?;
    save(connection, &payment, &change, None).await?;
    let (subject, resource_id) = (asked.account_id.to_string(), asked.refund_id.to_string());
    let entry = Entry {
        method: METHOD,
        subject: &subject,
        reason: &asked.reason,
        resource_id: &resource_id,
        code: tonic::Code::Ok,
    };
    audit::append(connection, &entry).await?;
    first.record(connection, asked.refund_id).await?;
    Ok(())
}
