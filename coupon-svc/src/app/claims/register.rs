//! Where coupons are written down: one transaction for as many claims as came while the last one committed.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use mesh::pg::{Connection, Database, TxError};
use mesh::status::chain;
use mesh::tasks::Tasks;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use uuid::Uuid;

use super::commit::{self, Claim, Ruling};
use super::{Job, Outcome, Refusal, by_campaign, next};
use crate::app::desk::Desk;
use crate::domain::campaign::Campaign;
use crate::gate::Became;

/// Longest wait for a commit: whoever claims waits a little longer. A server that is gone without a word says nothing for many minutes.
const COMMIT: Duration = Duration::from_secs(3);

/// Where coupons are written down.
#[derive(Clone)]
pub(super) struct Register {
    pub(super) desk: Desk,
    pub(super) database: Database,
    pub(super) tasks: Tasks,
    /// Part of each stock that it takes from first.
    pub(super) home: i16,
}

type Ruled = (Option<Campaign>, Vec<Ruling>);

impl Register {
    pub(super) async fn run(
        self,
        passed: Arc<Mutex<mpsc::Receiver<Job>>>,
        stop: CancellationToken,
    ) {
        let mut passed = passed.lock().await;
        while let Some(mut jobs) = next(&mut passed, &stop).await {
            // One claim of an account at a time: its next one counts what this one got.
            let mut accounts = HashSet::new();
            let twice = jobs.extract_if(.., |job| {
                !accounts.insert((job.campaign.campaign_id, job.claim.wish.account_id))
            });
            for job in twice.collect::<Vec<_>>() {
                job.tell(Outcome::Again);
            }
            let campaigns = by_campaign(jobs);
            let together = self.commit(claims(&campaigns)).await;
            match together {
                Ok(ruled) => self.answer(campaigns, ruled),
                // Perhaps one of them is at fault, or locked: the others do not suffer for it.
                Err(TxError::Database(_) | TxError::LockTimeout | TxError::Conflict)
                    if campaigns.len() > 1 =>
                {
                    for (campaign_id, jobs) in campaigns {
                        let campaigns = BTreeMap::from([(campaign_id, jobs)]);
                        match self.commit(claims(&campaigns)).await {
                            Ok(ruled) => self.answer(campaigns, ruled),
                            Err(error) => refuse(campaigns, &error),
                        }
                    }
                }
                Err(error) => refuse(campaigns, &error),
            }
        }
    }

    async fn commit(
        &self,
        campaigns: Vec<(Uuid, Vec<Claim>)>,
    ) -> Result<Vec<Ruled>, TxError<Infallible>> {
        let home = self.home;
        let work = async move |connection: &mut Connection| {
            let mut ruled = Vec::with_capacity(campaigns.len());
            // In ascending order, so that two instances wait in one.
            for (campaign_id, claims) in &campaigns {
                ruled.push(commit::rule(connection, *campaign_id, home, claims).await?);
            }
            Ok(ruled)
        };
        let owned = self.database.transaction("claims", work);
        let committed = tokio::time::timeout(COMMIT, owned).await;
        // It may still happen: the same claims come again, and find it.
        committed.unwrap_or(Err(TxError::Unknown))
    }

    fn answer(&self, campaigns: BTreeMap<Uuid, Vec<Job>>, ruled: Vec<Ruled>) {
        for (jobs, (campaign, rulings)) in campaigns.into_values().zip(ruled) {
            let known = campaign.map(|campaign| self.desk.note(campaign));
            let mut settled = Vec::with_capacity(jobs.len());
            for (job, ruling) in jobs.into_iter().zip(rulings) {
                let became = match &ruling {
                    Ruling::Issued(_) => Became::New,
                    // What there was has a place already, or the gate is told of it by whoever compares.
                    _ => Became::Nothing,
                };
                if job.claim.gated || became == Became::New {
                    settled.push((job.claimant(), became));
                }
                job.tell(outcome(ruling));
            }
            let gate = known.and_then(|campaign| self.desk.gate(&campaign));
            if let Some(gate) = gate.filter(|_| !settled.is_empty()) {
                // What is not heard there is looked up after a while, and compared.
                self.tasks.spawn("settle claims", async move {
                    if let Err(error) = gate.settle(&settled).await {
                        warn!(
                            error = chain(&error),
                            "the gate was not told: {}",
                            chain(&error)
                        );
                    }
                });
            }
        }
    }
}

fn claims(campaigns: &BTreeMap<Uuid, Vec<Job>>) -> Vec<(Uuid, Vec<Claim>)> {
    let claims = campaigns.iter().map(|(campaign_id, jobs)| {
        let claims = jobs.iter().map(|job| job.claim).collect();
        (*campaign_id, claims)
    });
    claims.collect()
}

fn outcome(ruling: Ruling) -> Outcome {
    match ruling {
        Ruling::Issued(coupon) => {
            metrics::counter!("usher_coupon_issued_total").increment(1);
            Outcome::Got(coupon)
        }
        Ruling::Known(coupon) => Outcome::Got(coupon),
        Ruling::Already(coupons) => Outcome::Refused(Refusal::Already(coupons)),
        Ruling::SoldOut => Outcome::Refused(Refusal::SoldOut),
        Ruling::Shut(shut) => Outcome::Refused(shut.into()),
        Ruling::Again => Outcome::Again,
    }
}

/// Nobody knows, or nothing happened: the same claims come again, but those that meet a fault of ours.
fn refuse(campaigns: BTreeMap<Uuid, Vec<Job>>, error: &TxError<Infallible>) {
    let fault = matches!(error, TxError::Database(_));
    if fault {
        error!(error = chain(error), "claims failed: {}", chain(error));
    } else {
        warn!(
            error = chain(error),
            "claims are not committed: {}",
            chain(error)
        );
    }
    for job in campaigns.into_values().flatten() {
        job.tell(if fault {
            Outcome::Refused(Refusal::Fault)
        } else {
            Outcome::Again
        });
    }
}
