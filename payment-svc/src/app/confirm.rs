//! Takes the money that a buyer authorised: the attempt is committed, sent by an owned task, and its outcome is committed.

use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::money::Money;
use mesh::pg::idempotency::{self, Begun, Key, RequestHash};
use mesh::pg::{TxError, now};
use mesh::random::backoff;
use tracing::{error, warn};
use uuid::Uuid;

use super::{App, Error, Refusal, lock, save};
use crate::domain::{Attempt, NotSent, Outcome, Payment, SEND_WINDOW, State};
use crate::provider::Charge;
use crate::store::payment::constraint;

/// First pause before a charge that did not leave is sent again.
const RESEND_PAUSE: Duration = Duration::from_millis(100);
/// Longest such pause.
const RESEND_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Tries to write an outcome down. When all fail the sweeper asks the provider again.
const REPORT_TRIES: u32 = 5;
/// First pause between two of them.
const REPORT_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between two of them.
const REPORT_PAUSE_MAX: Duration = Duration::from_secs(3);

/// A buyer's confirmation.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Id of the request.
    pub request_id: Uuid,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who asks.
    pub account_id: Uuid,
    /// Payment.
    pub payment_id: Uuid,
    /// Key the provider's widget gave to the buyer.
    pub payment_key: String,
    /// What the buyer authorised.
    pub amount: Money,
}

/// Name of the method in the idempotency table.
const METHOD: &str = "usher.payment.v1.PaymentService/ConfirmPayment";

impl App {
    /// Confirms, and waits for the outcome at most `patience`: then the payment is answered as it is, and the outcome follows as an
    /// event. The work goes on whatever becomes of the caller.
    pub async fn confirm(&self, confirm: Confirm, patience: Duration) -> Result<Payment, Error> {
        let (app, payment_id) = (self.clone(), confirm.payment_id);
        let work = self.tasks.spawn(
            "confirm",
            async move { app.confirm_to_the_end(confirm).await },
        );
        match tokio::time::timeout(patience, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => {
                error!(%payment_id, error = %panic, "confirming payment {payment_id} panicked");
                Err(TxError::Unknown)
            }
            Err(_) => self.payment(payment_id).await,
        }
    }

    async fn confirm_to_the_end(&self, confirm: Confirm) -> Result<Payment, Error> {
        let began = Stopwatch::start();
        let (payment, made) = match self.begin_attempt(confirm).await {
            Err(error) if error.constraint() == Some(constraint::KEY_USED) => {
                return Err(Refusal::KeyUsed.into());
            }
            outcome => outcome?,
        };
        match payment.attempt.clone().filter(|_| made) {
            Some(attempt) => self.charge(&payment, &attempt, began).await,
            None => Ok(payment),
        }
    }

    /// Commits the attempt. The flag says whether this call made it and has to send it.
    async fn begin_attempt(&self, confirm: Confirm) -> Result<(Payment, bool), Error> {
        let ladder = self.timings.ladder.clone();
        let begin = self
            .database
            .transaction("confirm payment", async move |connection| {
                let key = Key {
                    account_id: confirm.account_id,
                    method: METHOD,
                    request_id: confirm.request_id,
                };
                let begun = idempotency::begin(connection, key, confirm.hash).await?;
                let mut payment = lock(connection, confirm.payment_id).await?;
                if payment.account_id != confirm.account_id {
                    return Err(Refusal::NotFound.into());
                }
                let first = match begun {
                    Begun::First(first) => Some(first),
                    // Nothing came of the first call: it is decided anew, as a refusal is.
                    Begun::Replay { .. } if payment.took_nothing(&confirm.payment_key) => None,
                    Begun::Replay { .. } => return Ok((payment, false)),
                    Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                    Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
                };
                let now = now(connection).await?;
                let change = payment
                    .confirm(&confirm.payment_key, confirm.amount, &ladder, now)
                    .map_err(Refusal::Rejected)?;
                if let Some(change) = &change {
                    save(connection, &payment, change, None).await?;
                }
                if let Some(first) = first {
                    first.record(connection, payment.payment_id).await?;
                }
                Ok((payment, change.is_some()))
            });
        begin.await
    }

    async fn charge(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        began: Stopwatch,
    ) -> Result<Payment, Error> {
        self.faults.at("charge/intent").await;
        let outcome = self.send(payment, attempt, began).await;
        self.faults.at("charge/answer").await;
        let not_sent = outcome.is_err();
        let payment = self
            .report(payment.payment_id, attempt.attempt_no, outcome)
            .await?;
        if not_sent && payment.state == State::AwaitingCustomer {
            return Err(Refusal::ProviderDown.into());
        }
        Ok(payment)
    }

    /// Sends until something left, within the window in which the attempt says that it may be sent.
    async fn send(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        began: Stopwatch,
    ) -> Result<Outcome, NotSent> {
        let name = payment.provider.as_deref().unwrap_or_default();
        let Some(provider) = self.providers.get(name) else {
            return Err(NotSent {
                why: format!("no provider {name:?}"),
            });
        };
        let charge = Charge {
            order_id: payment.payment_id,
            payment_key: attempt.payment_key.clone(),
            amount: Money::new(attempt.amount, payment.amount.currency),
            idempotency_key: attempt.idempotency_key,
        };
        let mut last = NotSent {
            why: "it is too late to send".to_owned(),
        };
        for attempt in 0.. {
            // A process that was paused must not charge a buyer whom others have proven uncharged.
            if began.elapsed() >= SEND_WINDOW {
                break;
            }
            match provider.confirm(charge.clone()).await {
                Ok(outcome) => return Ok(outcome),
                Err(not_sent) => last = not_sent,
            }
            tokio::time::sleep(backoff(attempt, RESEND_PAUSE, RESEND_PAUSE_MAX)).await;
        }
        Err(last)
    }

    /// Commits what came of an attempt, also when the database is away for a moment.
    async fn report(
        &self,
        payment_id: Uuid,
        attempt_no: i32,
        outcome: Result<Outcome, NotSent>,
    ) -> Result<Payment, Error> {
        let mut tries = 0;
        loop {
            let reported = self
                .report_once(payment_id, attempt_no, outcome.clone())
                .await;
            tries += 1;
            match reported {
                Err(TxError::Refused(_) | TxError::Database(_)) | Ok(_) => return reported,
                Err(problem) if tries == REPORT_TRIES => {
                    warn!(%payment_id, error = %problem, "the outcome of payment {payment_id} was not written; it is inquired later");
                    return Err(problem);
                }
                Err(_) => tokio::time::sleep(backoff(tries, REPORT_PAUSE, REPORT_PAUSE_MAX)).await,
            }
        }
    }

    async fn report_once(
        &self,
        payment_id: Uuid,
        attempt_no: i32,
        outcome: Result<Outcome, NotSent>,
    ) -> Result<Payment, Error> {
        let ladder = self.timings.ladder.clone();
        let settle = self
            .database
            .transaction("settle payment", async move |connection| {
                let mut payment = lock(connection, payment_id).await?;
                let now = now(connection).await?;
                let change = match outcome {
                    Ok(outcome) => payment.settle(attempt_no, outcome, &ladder, now),
                    Err(not_sent) => payment.not_sent(attempt_no, &not_sent, &ladder, now),
                };
                if let Some(change) = &change {
                    save(connection, &payment, change, None).await?;
                }
                Ok(payment)
            });
        let payment = settle.await?;
        self.committed();
        Ok(payment)
    }
}
