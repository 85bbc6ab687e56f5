//! Asks a provider what became of payments: those that are due, and one that an operator names.

use std::time::Duration;

use mesh::pg::audit::{self, Entry};
use mesh::pg::idempotency::{self, Begun, Key, RequestHash};
use mesh::pg::now;
use mesh::status::chain;
use tracing::error;
use uuid::Uuid;

use super::{App, Error, Refusal, lock, save};
use crate::domain::{Finding, Payment};
use crate::store::due::{self, Claim};
use crate::store::payment::late_capture_known;

/// Name of the method in the idempotency table and the audit log.
const METHOD: &str = "usher.payment.v1.PaymentService/InquirePayment";
/// Inquiries at once: each may hold a connection to the provider for its read timeout.
const BATCH: i64 = 16;
/// How long an inquiry belongs to one process: longer than its read timeout and the writing of its finding.
const LEASE: Duration = Duration::from_secs(60);

/// An inquiry that an operator asks for.
#[derive(Clone, Debug)]
pub struct AskedInquiry {
    /// Id of the request.
    pub request_id: Uuid,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who asks.
    pub account_id: Uuid,
    /// Payment.
    pub payment_id: Uuid,
    /// Why.
    pub reason: String,
}

impl App {
    /// Asks now, and waits for the finding at most `patience`. A replay asks nobody.
    pub async fn inquire(&self, asked: AskedInquiry, patience: Duration) -> Result<Payment, Error> {
        let payment_id = asked.payment_id;
        let Some(payment) = self.begin_inquiry(asked).await? else {
            return self.payment(payment_id).await;
        };
        let app = self.clone();
        let work = self.tasks.spawn("inquire", async move {
            let finding = app.ask(&payment).await;
            app.write_finding(payment_id, None, finding).await
        });
        match tokio::time::timeout(patience, work).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(panic)) => {
                error!(%payment_id, error = %panic, "inquiring payment {payment_id} panicked")
            }
            Err(_) => {}
        }
        self.payment(payment_id).await
    }

    /// Writes the request down. None: it was made before, or there is nothing to ask about.
    async fn begin_inquiry(&self, asked: AskedInquiry) -> Result<Option<Payment>, Error> {
        let begin = self
            .database
            .transaction("inquire payment", async move |connection| {
                let key = Key {
                    account_id: asked.account_id,
                    method: METHOD,
                    request_id: asked.request_id,
                };
                let first = match idempotency::begin(connection, key, asked.hash).await? {
                    Begun::First(first) => first,
                    Begun::Replay { .. } => return Ok(None),
                    Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                    Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
                };
                let payment = lock(connection, asked.payment_id).await?;
                let (subject, resource_id) =
                    (asked.account_id.to_string(), asked.payment_id.to_string());
                let entry = Entry {
                    method: METHOD,
                    subject: &subject,
                    reason: &asked.reason,
                    resource_id: &resource_id,
                    code: tonic::Code::Ok,
                };
                audit::append(connection, &entry).await?;
                first.record(connection, asked.payment_id).await?;
                Ok(payment.attempt.is_some().then_some(payment))
            });
        begin.await
    }

    /// Claims due inquiries and makes them. Answers whether there may be more.
    pub(super) async fn inquire_due(&self) -> Result<bool, Error> {
        let owner = self.owner.to_string();
        let claim = self
            .background
            .transaction("claim inquiries", async move |connection| {
                Ok(due::claim(connection, &owner, BATCH, LEASE).await?)
            });
        let claims: Vec<Claim> = claim.await?;
        let full = i64::try_from(claims.len()).is_ok_and(|count| count == BATCH);
        let running: Vec<_> = claims
            .into_iter()
            .map(|claim| {
                let app = self.clone();
                self.tasks
                    .spawn("inquiry", async move { app.inquire_claimed(claim).await })
            })
            .collect();
        for inquiry in running {
            match inquiry.await {
                Ok(Ok(())) => {}
                // The others are none the worse for it; its lease ends, and it is asked about again.
                Ok(Err(problem)) => error!(error = chain(&problem), "an inquiry was not written"),
                Err(panic) => error!(error = %panic, "an inquiry panicked"),
            }
        }
        Ok(full)
    }

    async fn inquire_claimed(&self, claim: Claim) -> Result<(), Error> {
        let payment = self.payment(claim.payment_id).await?;
        let finding = self.ask(&payment).await;
        self.faults.at("inquire/answer").await;
        self.write_finding(claim.payment_id, Some(claim), finding)
            .await
    }

    pub(super) async fn ask(&self, payment: &Payment) -> Finding {
        let name = payment.provider.as_deref().unwrap_or_default();
        match self.providers.get(name) {
            Some(provider) => provider.inquire(payment.payment_id).await,
            None => Finding::Unknown {
                why: format!("no provider {name:?}"),
            },
        }
    }

    async fn write_finding(
        &self,
        payment_id: Uuid,
        claim: Option<Claim>,
        finding: Finding,
    ) -> Result<(), Error> {
        let ladder = self.timings.ladder.clone();
        let write = self
            .background
            .transaction("write finding", async move |connection| {
                let mut payment = lock(connection, payment_id).await?;
                if let Some(claim) = claim
                    && !due::holds(connection, claim).await?
                {
                    return Ok(());
                }
                let now = now(connection).await?;
                let finding = match finding {
                    // Found before, and on its way back.
                    Finding::Captured { payment_key, .. }
                        if late_capture_known(connection, &payment, &payment_key).await? =>
                    {
                        Finding::Nothing
                    }
                    finding => finding,
                };
                if let Some(change) = payment.found(finding, &ladder, now) {
                    save(connection, &payment, &change, None).await?;
                }
                Ok(())
            });
        write.await?;
        self.committed();
        Ok(())
    }
}
