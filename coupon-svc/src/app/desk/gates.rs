//! What keeps gates right: they are built from Postgres, told what became of lost claims, and compared.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mesh::clock::{self, Stopwatch};
use mesh::pg::{Connection, TxError};
use mesh::status::chain;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Desk, in_time};
use crate::domain::campaign::{Campaign, Standing};
use crate::gate::{Became, GateError};
use crate::store;

/// Claims that are looked up at once because nobody said what became of them.
const LATE_AT_ONCE: usize = 200;
/// Owners that a gate is loaded with at once: about a millisecond of Redis.
const OWNERS_AT_ONCE: i64 = 1_000;
/// Time to build a gate before somebody else may; it is extended while it is built.
const BUILD_TIME: Duration = Duration::from_secs(15);
/// Pages of owners after which that time is extended: about a second.
const EXTEND_EVERY: u32 = 20;
/// How long gates are not asked once one did not answer.
const AWAY: Duration = Duration::from_secs(1);

/// A gate that is being built here, until this is dropped: also by a panic.
struct Building {
    desk: Desk,
    campaign_id: Uuid,
}

impl Drop for Building {
    fn drop(&mut self) {
        let building = self.desk.inner.building.lock();
        let mut building = building.unwrap_or_else(PoisonError::into_inner);
        building.remove(&self.campaign_id);
    }
}

impl Desk {
    /// Whether the gates did not answer a moment ago: whoever claims need not wait to hear it again.
    #[must_use]
    pub fn is_away(&self) -> bool {
        let away = self
            .inner
            .away
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        away.is_some_and(|since| since.elapsed() < AWAY)
    }

    /// Notes that the gates did not answer.
    pub fn note_away(&self) {
        let mut away = self
            .inner
            .away
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *away = Some(Stopwatch::start());
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
        let building = Building {
            desk: self.clone(),
            campaign_id,
        };
        self.inner.tasks.spawn("build a gate", async move {
            let _building = building;
            match desk.build(&campaign).await {
                Ok(true) => info!(%campaign_id, "the gate of campaign {campaign_id} is built"),
                Ok(false) => {}
                Err(error) => {
                    warn!(%campaign_id, "the gate of campaign {campaign_id} is not built: {error}")
                }
            }
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
        if campaign.gate_epoch != epoch {
            return Ok(false);
        }
        let filled = self.fill(old, &campaign).await;
        // Whether it succeeded or not, the next one need not wait for us.
        let end = async move |connection: &mut Connection| {
            Ok(store::campaigns::gate_built(connection, campaign_id, epoch).await?)
        };
        let ended = database.transaction::<_, Infallible, _>("end a gate", end);
        ended.await.map_err(|error| chain(&error))?;
        filled.map(|()| true)
    }

    /// Builds the gate of `campaign` from Postgres; whoever still asks that of `old` notices.
    async fn fill(&self, old: &Campaign, campaign: &Campaign) -> Result<(), String> {
        let (campaign_id, database) = (campaign.campaign_id, &self.inner.database);
        if let Some(old) = self.gate(old) {
            old.close().await.map_err(|error| chain(&error))?;
        }
        let Some(gate) = self.gate(campaign) else {
            return Ok(());
        };
        let (mut after, mut pages) = (None, 0_u32);
        loop {
            pages += 1;
            if pages.is_multiple_of(EXTEND_EVERY) && !self.go_on_building(campaign).await? {
                return Err("somebody else has begun another one".to_owned());
            }
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
        let issued = self.issued(campaign).await.map_err(|error| chain(&error))?;
        gate.build(issued).await.map_err(|error| chain(&error))?;
        metrics::counter!("usher_coupon_gates_built_total").increment(1);
        Ok(())
    }

    async fn go_on_building(&self, campaign: &Campaign) -> Result<bool, String> {
        let (campaign_id, epoch) = (campaign.campaign_id, campaign.gate_epoch);
        let extend = async move |connection: &mut Connection| {
            let extended =
                store::campaigns::go_on_building(connection, campaign_id, epoch, BUILD_TIME);
            Ok(extended.await?)
        };
        let database = &self.inner.database;
        let extended = database.transaction::<_, Infallible, _>("go on with a gate", extend);
        extended.await.map_err(|error| chain(&error))
    }

    /// Makes the gate of a campaign that was ended refuse whoever has not heard of that.
    pub fn shut(&self, campaign: &Campaign) {
        let Some(gate) = self.gate(campaign) else {
            return;
        };
        self.inner.tasks.spawn("shut a gate", async move {
            // Settings travel with every call. Without it the others hear of it within a second.
            drop(gate.claim(&[]).await);
        });
    }

    /// One round over the gates of all campaigns, as long as Redis answers.
    pub(super) async fn keep_gates(&self, comparing: bool) {
        let mut drift = 0;
        for campaign in self.all() {
            if self.is_away() {
                return;
            }
            self.settle_late(&campaign).await;
            if comparing {
                drift = drift.max(self.compare(&campaign).await);
            }
        }
        if comparing {
            metrics::gauge!("usher_coupon_gate_drift_coupons").set(count(drift));
        }
    }

    /// How many coupons were issued of a campaign with a limit.
    async fn issued(&self, campaign: &Campaign) -> Result<i64, TxError<Infallible>> {
        let (campaign_id, stock) = (campaign.campaign_id, campaign.settings.stock);
        let read = async move |connection: &mut Connection| {
            store::stock::remaining(connection, campaign_id).await
        };
        let remaining = in_time(self.inner.database.read(read)).await?;
        let stock = stock.unwrap_or_default();
        Ok(stock - remaining.unwrap_or(stock))
    }

    /// Finds out what became of claims about which nobody said anything: their instance died, or Redis did not hear it.
    async fn settle_late(&self, campaign: &Campaign) {
        let Some(gate) = self.gate(campaign) else {
            return;
        };
        let outcome = async {
            loop {
                let late = gate.late(LATE_AT_ONCE).await?;
                let ids = late.iter().map(|(_, coupon_id)| *coupon_id).collect();
                let Ok(found) = self.coupons(ids).await else {
                    return Ok(());
                };
                let full = late.len() == LATE_AT_ONCE;
                let settled = late.into_iter().map(|claim| {
                    let there = found.contains_key(&claim.1);
                    let became = if there {
                        Became::Known
                    } else {
                        Became::Nothing
                    };
                    (claim, became)
                });
                let settled: Vec<_> = settled.collect();
                if !settled.is_empty() {
                    gate.settle(&settled).await?;
                }
                if !full {
                    return Ok(());
                }
            }
        };
        self.told(campaign, outcome.await);
    }

    /// Compares what a gate counts with what Postgres does, and sets it right when nobody is on the way. Answers by how much it was wrong.
    async fn compare(&self, campaign: &Campaign) -> i64 {
        let Some(gate) = self.gate(campaign) else {
            return 0;
        };
        let mut drift = 0;
        let outcome = async {
            let state = gate.state().await?;
            let Ok(issued) = self.issued(campaign).await else {
                return Ok(());
            };
            drift = (state.count - state.under_way - issued).abs();
            if state.under_way == 0 && (state.count != issued || state.won != issued) {
                gate.correct(state, issued).await?;
            }
            Ok(())
        };
        let outcome = outcome.await;
        self.told(campaign, outcome);
        drift
    }

    fn told(&self, campaign: &Campaign, outcome: Result<(), GateError>) {
        match outcome {
            Ok(()) => {}
            Err(GateError::NotBuilt) => self.rebuild(&Arc::new(campaign.clone())),
            Err(error) => {
                self.note_away();
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
