//! Sends refunds. A claim is a compare-and-set, so two workers never send the same one at a time; one whose answer never came is looked
//! for at the provider before it is sent again, with the same idempotency key. One that was parked and is retried has a new key: it is sent
//! once the provider's record shows that the older ones did nothing.

use std::time::Duration;

use chrono::TimeDelta;
use mesh::clock::Stopwatch;
use mesh::pg::now;
use mesh::random::backoff;
use tracing::{error, warn};

use super::{App, Error, lock, save};
use crate::domain::{Record, RefundOutcome, RefundState};
use crate::provider::RefundCharge;
use crate::provider::toss::KEY_HONOURED;
use crate::store::refund::{self, Claimed};

/// Refunds at once.
const BATCH: i64 = 16;
/// How long a claimed refund belongs to one process: two calls with their read timeouts, and the writing.
const CLAIM: Duration = Duration::from_secs(75);

/// What a try came to.
#[derive(Clone, Debug)]
enum End {
    Done,
    Parked(String),
    Later(String),
}

impl App {
    /// Claims due refunds and sends them. Answers whether there may be more.
    pub(super) async fn send_due_refunds(&self) -> Result<bool, Error> {
        let began = Stopwatch::start();
        let claim = self
            .background
            .transaction("claim refunds", async move |connection| {
                Ok(refund::claim(connection, BATCH, CLAIM).await?)
            });
        let claims: Vec<Claimed> = claim.await?;
        let full = i64::try_from(claims.len()).is_ok_and(|count| count == BATCH);
        let running: Vec<_> = claims
            .into_iter()
            .map(|claimed| {
                let app = self.clone();
                self.tasks.spawn(
                    "refund",
                    async move { app.send_claimed(claimed, began).await },
                )
            })
            .collect();
        for refund in running {
            match refund.await {
                Ok(outcome) => outcome?,
                Err(panic) => error!(error = %panic, "sending a refund panicked"),
            }
        }
        Ok(full)
    }

    async fn send_claimed(&self, claimed: Claimed, began: Stopwatch) -> Result<(), Error> {
        self.faults.at("refund/claim").await;
        let end = self.try_refund(&claimed, began).await?;
        self.faults.at("refund/answer").await;
        self.write_end(claimed, end).await
    }

    async fn try_refund(&self, claimed: &Claimed, began: Stopwatch) -> Result<End, Error> {
        let refund = &claimed.refund;
        let Some(provider) = self.providers.get(&claimed.provider) else {
            return Ok(End::Later(format!("no provider {:?}", claimed.provider)));
        };
        if refund.attempts > 1 {
            let finding = provider.inquire(refund.payment_id).await;
            match refund.look_up(&claimed.payment_key, finding) {
                Record::Shown => return Ok(End::Done),
                Record::Absent => {}
                Record::OfAnother => {
                    return Ok(End::Parked(
                        "the provider shows another payment of the order".to_owned(),
                    ));
                }
                Record::Unread { why } => return Ok(End::Later(why)),
            }
            if self.key_is_forgotten(claimed).await? {
                return Ok(End::Parked(
                    "the provider may have forgotten the idempotency key".to_owned(),
                ));
            }
        }
        if began.elapsed() > self.timings.refund_send_within {
            return Ok(End::Later("its claim may be over".to_owned()));
        }
        let charge = RefundCharge {
            payment_key: claimed.payment_key.clone(),
            refund_id: refund.refund_id,
            amount: refund.amount,
            idempotency_key: refund.idempotency_key,
        };
        Ok(match provider.refund(charge).await {
            Ok(RefundOutcome::Done) => End::Done,
            Ok(RefundOutcome::Refused(answer)) => End::Parked(answer.code().to_owned()),
            Ok(RefundOutcome::Unknown { why }) => End::Later(why),
            Err(not_sent) => End::Later(not_sent.why),
        })
    }

    /// Whether a repetition could be taken for a new refund.
    async fn key_is_forgotten(&self, claimed: &Claimed) -> Result<bool, Error> {
        let clock = &self.background;
        let now = clock
            .transaction("read clock", async |connection| Ok(now(connection).await?))
            .await?;
        let honoured = TimeDelta::from_std(KEY_HONOURED).unwrap_or_default();
        Ok(now - claimed.refund.key_time > honoured)
    }

    async fn write_end(&self, claimed: Claimed, end: End) -> Result<(), Error> {
        let claim = claimed.refund;
        let attempt = u32::try_from(claim.attempts).unwrap_or_default();
        let pause = backoff(
            attempt,
            self.timings.refund_pause,
            self.timings.refund_pause_max,
        );
        if let End::Later(why) = &end {
            warn!(refund_id = %claim.refund_id, why, "refund {} is tried again in {pause:?}", claim.refund_id);
        }
        let (refund_id, payment_id) = (claim.refund_id, claim.payment_id);
        let parked = match &end {
            End::Parked(why) => Some(why.clone()),
            End::Done | End::Later(_) => None,
        };
        let write = self
            .background
            .transaction("write refund", async move |connection| {
                let mut payment = lock(connection, claim.payment_id).await?;
                let (mine, change) = match &end {
                    End::Later(why) => {
                        (refund::put_off(connection, &claim, pause, why).await?, None)
                    }
                    End::Done => (
                        refund::finish(connection, &claim, RefundState::Done, None).await?,
                        Some(payment.refunded(&claim)),
                    ),
                    End::Parked(why) => (
                        refund::finish(connection, &claim, RefundState::Parked, Some(why)).await?,
                        Some(payment.refund_parked(&claim, why)),
                    ),
                };
                let Some(change) = change.filter(|_| mine) else {
                    return Ok(false);
                };
                save(connection, &payment, &change, None).await?;
                Ok(true)
            });
        if let (true, Some(reason)) = (write.await?, parked) {
            error!(%refund_id, %payment_id, reason, "refund {refund_id} of payment {payment_id} is parked: {reason}");
        }
        self.committed_events();
        Ok(())
    }
}
