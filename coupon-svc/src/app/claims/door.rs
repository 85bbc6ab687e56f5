//! The gate: who is let through goes on to Postgres, and so does everybody where there is none.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mesh::status::chain;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::{Job, Outcome, Refusal, by_campaign, next};
use crate::app::desk::Desk;
use crate::domain::campaign::{Campaign, Shut, State};
use crate::gate::{Claimant, GateError, Said};

/// Longest wait for a gate: a hundred times what it needs. Whoever claims has far more time, and a way without it.
const ANSWER: Duration = Duration::from_millis(300);

/// Asks gates until told to stop.
pub(super) async fn ask(
    desk: Desk,
    waiting: Arc<Mutex<mpsc::Receiver<Job>>>,
    pass: mpsc::Sender<Job>,
    stop: CancellationToken,
) {
    let mut waiting = waiting.lock().await;
    while let Some(jobs) = next(&mut waiting, &stop).await {
        let asked = by_campaign(jobs).into_values();
        let asked = asked.map(|jobs| ask_one(&desk, jobs, &pass));
        join_all(asked).await;
    }
}

/// Asks the gate of one campaign; who is let through, or finds none, goes on to Postgres.
async fn ask_one(desk: &Desk, jobs: Vec<Job>, pass: &mpsc::Sender<Job>) {
    let Some(campaign) = jobs.first().map(|job| Arc::clone(&job.campaign)) else {
        return;
    };
    let Some(gate) = desk.gate(&campaign).filter(|_| !desk.is_away()) else {
        return go_on(pass, jobs);
    };
    let claimants: Vec<Claimant> = jobs.iter().map(Job::claimant).collect();
    let asked = tokio::time::timeout(ANSWER, gate.claim(&claimants)).await;
    let said = match asked.unwrap_or(Err(GateError::Silent)) {
        Ok(said) => said,
        Err(GateError::NotBuilt) => {
            desk.rebuild(&campaign);
            return go_on(pass, jobs);
        }
        Err(GateError::Outdated) => {
            refresh(desk, campaign.campaign_id).await;
            return jobs.into_iter().for_each(|job| job.tell(Outcome::Again));
        }
        Err(error) => {
            warn!(
                error = chain(&error),
                "the gate is not asked: {}",
                chain(&error)
            );
            desk.note_away();
            return go_on(pass, jobs);
        }
    };
    // Whether Postgres agrees that nothing is left.
    let mut exhausted = campaign.state == State::Exhausted;
    if said.contains(&Said::Full) && !exhausted {
        let campaign = refresh(desk, campaign.campaign_id).await;
        exhausted = campaign.is_some_and(|campaign| campaign.state == State::Exhausted);
    }
    let (mut through, mut losers) = (Vec::new(), Vec::new());
    for (mut job, said) in jobs.into_iter().zip(said) {
        metrics::counter!("usher_coupon_gate_total", "said" => word(said)).increment(1);
        match said {
            Said::Pass => {
                job.claim.gated = true;
                through.push(job);
            }
            Said::Has => through.push(job),
            Said::Full | Said::Crowded if exhausted => losers.push((job, Refusal::SoldOut)),
            Said::Full | Said::Crowded => job.tell(Outcome::Again),
            Said::Early => {
                let shut = Shut::NotOpen(campaign.settings.claim_open);
                job.tell(Outcome::Refused(shut.into()));
            }
            Said::Late => losers.push((job, Shut::Over.into())),
        }
    }
    through.extend(refuse(desk, losers).await);
    go_on(pass, through);
}

/// Refuses for good, but those who have the coupon that they ask for: the gate may have forgotten them. They are answered.
async fn refuse(desk: &Desk, losers: Vec<(Job, Refusal)>) -> Vec<Job> {
    if losers.is_empty() {
        return Vec::new();
    }
    let ids = losers.iter().map(|(job, _)| job.claim.wish.coupon_id);
    let Ok(found) = desk.coupons(ids.collect()).await else {
        let losers = losers.into_iter();
        losers.for_each(|(job, _)| job.tell(Outcome::Again));
        return Vec::new();
    };
    let mut owners = Vec::new();
    for (job, refusal) in losers {
        if found.contains_key(&job.claim.wish.coupon_id) {
            owners.push(job);
        } else {
            job.tell(Outcome::Refused(refusal));
        }
    }
    owners
}

async fn refresh(desk: &Desk, campaign_id: Uuid) -> Option<Arc<Campaign>> {
    match desk.refresh(campaign_id).await {
        Ok(campaign) => campaign,
        Err(error) => {
            warn!(error = chain(&error), "a campaign cannot be read");
            None
        }
    }
}

fn go_on(pass: &mpsc::Sender<Job>, jobs: Vec<Job>) {
    for job in jobs {
        if let Err(full) = pass.try_send(job) {
            full.into_inner().tell(Outcome::Refused(Refusal::Busy));
        }
    }
}

const fn word(said: Said) -> &'static str {
    match said {
        Said::Pass => "pass",
        Said::Has => "has",
        Said::Full => "full",
        Said::Crowded => "crowded",
        Said::Early => "early",
        Said::Late => "late",
    }
}
