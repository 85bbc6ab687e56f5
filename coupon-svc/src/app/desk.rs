//! The campaigns that people ask for, as they are known on this instance, and what keeps their gates right.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use mesh::clock::{self, Stopwatch};
use mesh::pg::{Connection, Database, TxError};
use mesh::redis::{Library, Redis};
use mesh::status::chain;
use mesh::tasks::Tasks;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::domain::campaign::{Campaign, Standing, State};
use crate::gate::{Became, Gate, GateError};
use crate::store;

/// How often what is known is read again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks lie between two comparisons of a gate with Postgres.
const COMPARE_EVERY: u32 = 5;
/// A campaign that nobody asked for is forgotten after this time.
const IDLE: Duration = Duration::from_secs(600);
/// Claims that are looked up at once because nobody said what became of them.
const LATE_AT_ONCE: usize = 200;
/// Owners that a gate is loaded with at once: about a millisecond of Redis.
const OWNERS_AT_ONCE: i64 = 1_000;
/// Time to build a gate before somebody else may: the largest takes a minute.
const BUILD_TIME: Duration = Duration::from_secs(120);

/// What this instance knows of campaigns. Clones share it.
#[derive(Clone, Debug)]
pub struct Desk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    redis: Redis,
    functions: Library,
    tasks: Tasks,
    known: RwLock<HashMap<Uuid, Known>>,
    building: Mutex<HashSet<Uuid>>,
}

#[derive(Debug)]
struct Known {
    campaign: Arc<Campaign>,
    asked: Stopwatch,
}

impl Desk {
    /// Begins to look after whatever people ask for.
    #[must_use]
    pub fn start(database: &Database, redis: Redis, functions: Library, tasks: &Tasks) -> Self {
        let desk = Self {
            inner: Arc::new(Inner {
                database: database.background(),
                redis,
                functions,
                tasks: tasks.clone(),
                known: RwLock::default(),
                building: Mutex::default(),
            }),
        };
        let keeper = desk.clone();
        tasks.keep_running("campaigns", move |stop| keeper.clone().keep(stop));
        desk
    }

    /// A campaign that people may know of, as it was a second ago at most.
    pub async fn find(
        &self,
        campaign_id: Uuid,
    ) -> Result<Option<Arc<Campaign>>, TxError<Infallible>> {
        {
            let mut known = self
                .inner
                .known
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get_mut(&campaign_id) {
                known.asked = Stopwatch::start();
                return Ok(Some(Arc::clone(&known.campaign)));
            }
        }
        self.refresh(campaign_id).await
    }

    /// The same, as it is now.
    pub async fn refresh(
        &self,
        campaign_id: Uuid,
    ) -> Result<Option<Arc<Campaign>>, TxError<Infallible>> {
        let read = async move |connection: &mut Connection| {
            store::campaigns::find(connection, campaign_id, false).await
        };
        let campaign = self.inner.database.read(read).await?;
        let campaign = campaign.filter(|campaign| campaign.state != State::Draft);
        Ok(campaign.map(|campaign| self.note(campaign)))
    }

    /// Takes in what a campaign is now, unless something newer is known.
    pub fn note(&self, campaign: Campaign) -> Arc<Campaign> {
        let mut known = self
            .inner
            .known
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(campaign.campaign_id);
        let known = entry.or_insert_with(|| Known {
            campaign: Arc::new(campaign.clone()),
            asked: Stopwatch::start(),
        });
        let older = campaign.version < known.campaign.version
            || campaign.gate_epoch < known.campaign.gate_epoch;
        if !older && *known.campaign != campaign {
            known.campaign = Arc::new(campaign);
        }
        Arc::clone(&known.campaign)
    }

    /// The gate of a campaign, where it has one.
    #[must_use]
    pub fn gate(&self, campaign: &Campaign) -> Option<Gate> {
        Gate::of(&self.inner.redis, &self.inner.functions, campaign)
    }

    /// Builds the gate of a campaign in the background, unless somebody does.
    pub fn rebuild(&self, campaign: &Arc<Campaign>) {
        let campaign_id = campaign.campaign_id;
        if campaign.standing(clock::now()) != Standing::Open {
            return;
        }
        let begun = {
            let mut building = self
                .inner
                .building
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            building.insert(campaign_id)
        };
        if !begun {
            return;
        }
        let (desk, campaign) = (self.clone(), Arc::clone(campaign));
        self.inner.tasks.spawn("build a gate", async move {
            match desk.build(&campaign).await {
                Ok(true) => info!(%campaign_id, "the gate of campaign {campaign_id} is built"),
                Ok(false) => {}
                Err(error) => {
                    warn!(%campaign_id, "the gate of campaign {campaign_id} is not built: {error}")
                }
            }
            let mut building = desk
                .inner
                .building
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            building.remove(&campaign_id);
        });
    }

    /// Whether it was this instance's to build, and is.
    async fn build(&self, old: &Campaign) -> Result<bool, String> {
        let (campaign_id, known) = (old.campaign_id, old.gate_epoch);
        let begin = async move |connection: &mut Connection| {
            Ok(store::campaigns::next_gate(connection, campaign_id, known, BUILD_TIME).await?)
        };
        let database = &self.inner.database;
        let begun = database.transaction::<_, Infallible, _>("begin a gate", begin);
        let begun = begun.await.map_err(|error| chain(&error))?;
        let campaign = self
            .refresh(campaign_id)
            .await
            .map_err(|error| chain(&error))?;
        let (Some(epoch), Some(campaign)) = (begun, campaign) else {
            return Ok(false);
        };
        if let Some(old) = self.gate(old) {
            old.close().await.map_err(|error| chain(&error))?;
        }
        let Some(gate) = self
            .gate(&campaign)
            .filter(|_| campaign.gate_epoch == epoch)
        else {
            return Ok(false);
        };
        metrics::counter!("usher_coupon_gates_built_total").increment(1);
        let mut after = None;
        loop {
            let read = async move |connection: &mut Connection| {
                store::coupons::owners(connection, campaign_id, after, OWNERS_AT_ONCE).await
            };
            let owners = database.read(read).await.map_err(|error| chain(&error))?;
            let Some((last, _)) = owners.last() else {
                break;
            };
            after = Some(*last);
            gate.load(&owners).await.map_err(|error| chain(&error))?;
        }
        let issued = self
            .issued(&campaign)
            .await
            .map_err(|error| chain(&error))?;
        gate.build(issued).await.map_err(|error| chain(&error))?;
        let end = async move |connection: &mut Connection| {
            Ok(store::campaigns::gate_built(connection, campaign_id, epoch).await?)
        };
        let ended = database.transaction::<_, Infallible, _>("end a gate", end);
        ended.await.map_err(|error| chain(&error))?;
        Ok(true)
    }

    /// How many coupons were issued of a campaign with a limit.
    async fn issued(&self, campaign: &Campaign) -> Result<i64, TxError<Infallible>> {
        let (campaign_id, stock) = (campaign.campaign_id, campaign.settings.stock);
        let read = async move |connection: &mut Connection| {
            store::stock::remaining(connection, campaign_id).await
        };
        let remaining = self.inner.database.read(read).await?;
        let stock = stock.unwrap_or_default();
        Ok(stock - remaining.unwrap_or(stock))
    }

    async fn keep(self, stop: CancellationToken) {
        let mut looks: u32 = 0;
        while !stop.is_cancelled() {
            looks = looks.wrapping_add(1);
            if let Err(error) = self.look().await {
                // What is known goes on.
                warn!(error = chain(&error), "campaigns cannot be read");
            }
            for campaign in self.all() {
                self.settle_late(&campaign).await;
                if looks.is_multiple_of(COMPARE_EVERY) {
                    self.compare(&campaign).await;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn all(&self) -> Vec<Arc<Campaign>> {
        let known = self
            .inner
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        known
            .values()
            .map(|known| Arc::clone(&known.campaign))
            .collect()
    }

    async fn look(&self) -> Result<(), TxError<Infallible>> {
        let ids: Vec<Uuid> = {
            let mut known = self
                .inner
                .known
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, known| known.asked.elapsed() < IDLE);
            known.keys().copied().collect()
        };
        let read =
            async move |connection: &mut Connection| store::campaigns::of(connection, &ids).await;
        for campaign in self.inner.database.read(read).await? {
            self.note(campaign);
        }
        Ok(())
    }

    /// Finds out what became of claims about which nobody said anything: their instance died, or Redis did not hear it.
    async fn settle_late(&self, campaign: &Campaign) {
        let Some(gate) = self.gate(campaign) else {
            return;
        };
        let outcome = async {
            let late = gate.late(LATE_AT_ONCE).await?;
            if late.is_empty() {
                return Ok(());
            }
            let ids: Vec<Uuid> = late.iter().map(|(_, coupon_id)| *coupon_id).collect();
            let read =
                async move |connection: &mut Connection| store::coupons::of(connection, &ids).await;
            let Ok(found) = self.inner.database.read(read).await else {
                return Ok(());
            };
            let settled = late.into_iter().map(|claim| {
                let there = found.contains_key(&claim.1);
                (
                    claim,
                    if there {
                        Became::Known
                    } else {
                        Became::Nothing
                    },
                )
            });
            gate.settle(&settled.collect::<Vec<_>>()).await
        };
        self.told(campaign, outcome.await);
    }

    /// Compares what a gate counts with what Postgres does, and sets it right when nobody is on the way.
    async fn compare(&self, campaign: &Campaign) {
        let Some(gate) = self.gate(campaign) else {
            return;
        };
        let outcome = async {
            let state = gate.state().await?;
            let Ok(issued) = self.issued(campaign).await else {
                return Ok(());
            };
            let drift = state.count - state.under_way - issued;
            metrics::gauge!("usher_coupon_gate_drift_coupons").set(count(drift.abs()));
            if state.under_way == 0 && (state.count != issued || state.won != issued) {
                gate.correct(state, issued).await?;
            }
            Ok(())
        };
        self.told(campaign, outcome.await);
    }

    fn told(&self, campaign: &Campaign, outcome: Result<(), GateError>) {
        match outcome {
            Ok(()) => {}
            Err(GateError::NotBuilt) => self.rebuild(&Arc::new(campaign.clone())),
            Err(error) => {
                let campaign_id = campaign.campaign_id;
                warn!(%campaign_id, error = chain(&error), "the gate of campaign {campaign_id} is not looked after");
            }
        }
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a stock has at most ten million coupons"
)]
fn count(coupons: i64) -> f64 {
    coupons as f64
}
