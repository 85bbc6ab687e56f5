//! Claims: the gate first, then Postgres, both for as many at once as have come meanwhile. What is answered is final.
//!
//! While one call or commit is under way, whoever comes waits for the next, so that batches grow with the load and nobody waits for a
//! timer. Nobody is told that coupons are sold out before Postgres has given out the last one.

pub mod batch;
pub(super) mod commit;
mod door;
mod register;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::id;
use mesh::pg::Database;
use mesh::random;
use mesh::status::chain;
use mesh::tasks::Tasks;
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use self::commit::Claim;
use self::register::Register;
use super::desk::Desk;
use crate::domain::campaign::{Campaign, Issue, Shut};
use crate::domain::coupon::Coupon;
use crate::gate::Claimant;
use crate::store::coupons::Wish;
use crate::store::stock::SHARDS;

/// Claims of one call and of one commit: enough to share a flush, few enough to hold locks for milliseconds.
const BATCH_MAX: usize = 256;
/// Claims that wait for the gate: about a second of them. More are told to come back.
const WAITING_MAX: usize = 20_000;
/// Claims that wait for Postgres: the same with a gate that lets everybody through.
const PASSED_MAX: usize = 20_000;
/// How long somebody waits for an answer that is final; shorter than the method's deadline.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// Pause before somebody is asked about again who could not be told yet.
const PAUSE: Duration = Duration::from_millis(20);

/// Why nobody got a coupon. Nothing was changed, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such campaign.
    #[error("there is no such campaign")]
    NoCampaign,
    /// Not this way, but that.
    #[error("coupons of this campaign are had in another way: {}", .0.name())]
    Otherwise(Issue),
    /// Not now.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// Every coupon has its owner.
    #[error("every coupon has its owner")]
    SoldOut,
    /// The account has as many as it can: these.
    #[error("the account has as many coupons of this campaign as it can")]
    Already(Vec<Uuid>),
    /// Nobody knows yet. The same request, repeated, tells.
    #[error("it is not known yet whether this claim got a coupon")]
    Undecided,
    /// Too many at once.
    #[error("too many people claim at once")]
    Busy,
    /// A fault of ours, with an alarm in the log.
    #[error("the claim failed")]
    Fault,
}

/// What became of a try.
#[derive(Debug)]
enum Outcome {
    Got(Coupon),
    Refused(Refusal),
    Again,
}

#[derive(Debug)]
struct Job {
    campaign: Arc<Campaign>,
    claim: Claim,
    answer: oneshot::Sender<Outcome>,
}

impl Job {
    fn tell(self, outcome: Outcome) {
        let _ = self.answer.send(outcome); // the caller may have gone
    }

    fn claimant(&self) -> Claimant {
        (self.claim.wish.account_id, self.claim.wish.coupon_id)
    }
}

/// The way to coupons. Clones share it.
#[derive(Clone, Debug)]
pub struct Claims {
    desk: Desk,
    jobs: mpsc::Sender<Job>,
}

impl Claims {
    /// Starts the two loops of this instance.
    #[must_use]
    pub fn start(desk: Desk, database: &Database, tasks: &Tasks) -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (pass, passed) = mpsc::channel(PASSED_MAX);
        let (waiting, passed) = (Arc::new(Mutex::new(waiting)), Arc::new(Mutex::new(passed)));
        let gate = desk.clone();
        tasks.keep_running("claims at the gate", move |stop| {
            door::ask(gate.clone(), Arc::clone(&waiting), pass.clone(), stop)
        });
        // A part of its own for most instances, so that they do not wait for each other.
        let home = i16::try_from(random::below(SHARDS.unsigned_abs().into())).unwrap_or_default();
        let register = Register {
            desk: desk.clone(),
            database: database.background(),
            tasks: tasks.clone(),
            home,
        };
        tasks.keep_running("claims", move |stop| {
            register.clone().run(Arc::clone(&passed), stop)
        });
        Self { desk, jobs }
    }

    /// Gets a coupon of a campaign for an account. The same request gets the same one.
    pub async fn claim(
        &self,
        campaign_id: Uuid,
        account_id: Uuid,
        request_id: Uuid,
    ) -> Result<(Arc<Campaign>, Coupon), Refusal> {
        let wish = Wish {
            account_id,
            coupon_id: coupon_of(campaign_id, account_id, request_id),
        };
        let since = Stopwatch::start();
        loop {
            let found = self.desk.find(campaign_id).await;
            let campaign = match found {
                Ok(found) => found.ok_or(Refusal::NoCampaign)?,
                Err(error) => {
                    warn!(error = chain(&error), "campaigns cannot be read");
                    return Err(Refusal::Undecided);
                }
            };
            if campaign.settings.issue != Issue::Claim {
                return Err(Refusal::Otherwise(campaign.settings.issue));
            }
            if self.desk.knows_sold_out(&campaign, account_id) {
                metrics::counter!("usher_coupon_gate_total", "said" => "remembered").increment(1);
                return Err(Refusal::SoldOut);
            }
            let (answer, told) = oneshot::channel();
            let job = Job {
                campaign: Arc::clone(&campaign),
                claim: Claim { wish, gated: false },
                answer,
            };
            self.jobs.try_send(job).map_err(|_| Refusal::Busy)?;
            match told.await {
                Ok(Outcome::Got(coupon)) => return Ok((campaign, coupon)),
                Ok(Outcome::Refused(refusal)) => return Err(refusal),
                // Whatever happened, the same coupon is asked for again.
                Ok(Outcome::Again) | Err(_) if since.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE + random::jitter(PAUSE * 2)).await;
                }
                Ok(Outcome::Again) | Err(_) => return Err(Refusal::Undecided),
            }
        }
    }
}

/// The coupon that a claim makes, whichever way it comes.
fn coupon_of(campaign_id: Uuid, account_id: Uuid, request_id: Uuid) -> Uuid {
    let name = [account_id.as_bytes().as_slice(), request_id.as_bytes()].concat();
    id::derive(campaign_id, name)
}

/// Claims by campaign, in order.
fn by_campaign(jobs: Vec<Job>) -> BTreeMap<Uuid, Vec<Job>> {
    let mut campaigns: BTreeMap<Uuid, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        let campaign_id = job.campaign.campaign_id;
        campaigns.entry(campaign_id).or_default().push(job);
    }
    campaigns
}

/// Takes what waits until told to stop: then what has come is still answered.
async fn next(waiting: &mut mpsc::Receiver<Job>, stop: &CancellationToken) -> Option<Vec<Job>> {
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    tokio::select! {
        biased;
        count = waiting.recv_many(&mut jobs, BATCH_MAX) => {
            // Nobody waits for those any more.
            jobs.retain(|job| !job.answer.is_closed());
            (count > 0).then_some(jobs)
        }
        () = stop.cancelled() => None,
    }
}
