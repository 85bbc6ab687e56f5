//! The campaigns that people ask for, as they are known on this instance.

mod gates;
mod owners;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::pg::{Connection, Database, TxError};
use mesh::redis::{Library, Redis};
use mesh::status::chain;
use mesh::tasks::Tasks;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use self::owners::Owners;
use crate::domain::campaign::{Campaign, State};
use crate::domain::coupon::Coupon;
use crate::gate::Gate;
use crate::store;

/// How often what is known is read again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks lie between two comparisons of a gate with Postgres.
const COMPARE_EVERY: u32 = 5;
/// Longest wait for a read: a hundred times what it takes. The loop of the gates waits for some, and everybody who claims for that loop.
const READ: Duration = Duration::from_secs(1);
/// A campaign that nobody asked for is forgotten after this time.
const IDLE: Duration = Duration::from_secs(600);

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
    away: Mutex<Option<Stopwatch>>,
    /// Owners of campaigns of which nothing is left; `None`: they are being read.
    sold_out: RwLock<HashMap<Uuid, Option<Arc<Owners>>>>,
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
                away: Mutex::default(),
                sold_out: RwLock::default(),
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
        let campaign = in_time(self.inner.database.read(read)).await?;
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

    /// Those of these coupons that exist.
    pub async fn coupons(
        &self,
        ids: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, Coupon>, TxError<Infallible>> {
        let read =
            async move |connection: &mut Connection| store::coupons::of(connection, &ids).await;
        in_time(self.inner.database.read(read)).await
    }

    /// The gate of a campaign, where it has one.
    #[must_use]
    pub fn gate(&self, campaign: &Campaign) -> Option<Gate> {
        Gate::of(&self.inner.redis, &self.inner.functions, campaign)
    }

    async fn keep(self, stop: CancellationToken) {
        let mut looks: u32 = 0;
        while !stop.is_cancelled() {
            looks = looks.wrapping_add(1);
            if let Err(error) = self.look().await {
                // What is known goes on.
                warn!(error = chain(&error), "campaigns cannot be read");
            }
            self.keep_owners();
            self.keep_gates(looks.is_multiple_of(COMPARE_EVERY)).await;
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
        for campaign in in_time(self.inner.database.read(read)).await? {
            self.note(campaign);
        }
        Ok(())
    }
}

/// What a read answers, or that the database does not.
async fn in_time<T>(
    read: impl Future<Output = Result<T, TxError<Infallible>>>,
) -> Result<T, TxError<Infallible>> {
    let answer = tokio::time::timeout(READ, read).await;
    answer.unwrap_or(Err(TxError::Unavailable))
}
