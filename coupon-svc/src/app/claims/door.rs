//! The gate: who is let through goes on to Postgres, and so does everybody where there is none.

use std::sync::Arc;

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
    let Some(gate) = desk.gate(&campaign) else {
        return go_on(pass, jobs);
    };
    let claimants: Vec<Claimant> = jobs.iter().map(Job::claimant).collect();
    let said = match gate.claim(&claimants).await {
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
            return go_on(pass, jobs);
        }
    };
    // Whether Postgres agrees that nothing is left.
    let mut exhausted = campaign.state == State::Exhausted;
    if said.contains(&Said::Full) && !exhausted {
        let campaign = refresh(desk, campaign.campaign_id).await;
        exhausted = campaign.is_some_and(|campaign| campaign.state == State::Exhausted);
    }
    let settings = &campaign.settings;
    let mut through = Vec::new();
    for (mut job, said) in jobs.into_iter().zip(said) {
        metrics::counter!("usher_coupon_gate_total", "said" => word(said)).increment(1);
        match said {
            Said::Pass => {
                job.claim.gated = true;
                through.push(job);
            }
            // Which ones it has, Postgres tells.
            Said::Has => through.push(job),
            Said::Full if exhausted => job.tell(Outcome::Refused(Refusal::SoldOut)),
            Said::Full | Said::Crowded => job.tell(Outcome::Again),
            Said::Early => {
                let shut = Shut::NotOpen(settings.claim_open);
                job.tell(Outcome::Refused(shut.into()));
            }
            Said::Late => job.tell(Outcome::Refused(Shut::Over.into())),
        }
    }
    go_on(pass, through);
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
