//! Campaigns and people, the processes around them, and each way of claiming.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mesh::id;
use mesh::identity::Role;
use mesh::tasks::Tasks;
use prost::Message;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::campaign_service_client::CampaignServiceClient;
use tonic::{Code, Status};
use uuid::Uuid;

use super::Plan;
use super::callers::{Callers, Token};
use super::seller::Seller;
use super::tables::Tables;
use crate::bench::answers::{SOLD_OUT, settings};
use crate::bench::load::{Round, closed};
use crate::bench::process::{Process, peak_mb, processor_seconds};
use crate::bench::stage::Stage;
use crate::bench::{BenchError, failed};

/// Connections that callers share.
pub(super) const CONNECTIONS: usize = 4;
/// Rows of one INSERT, as coupon-svc makes them at most.
pub(super) const INSERTS: usize = 256;
/// Callers of what is not measured.
const SETTING_UP: usize = 64;
/// How many bytes answers of the others may be longer or shorter than real ones.
const ALIKE_BYTES: usize = 16;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    EchoClaim,
    Locked,
    Insert,
    Claim,
    EchoSoldOut,
    SoldOut,
}

impl Way {
    /// In the order of the table.
    pub(super) const ALL: [Self; 6] = [
        Self::EchoClaim,
        Self::Insert,
        Self::Locked,
        Self::Claim,
        Self::EchoSoldOut,
        Self::SoldOut,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::EchoClaim => "gRPC echo of a coupon",
            Self::Locked => "claim under a lock in Redis",
            Self::Insert => "INSERT of coupons alone",
            Self::Claim => "**claim, before the end of the sale**",
            Self::EchoSoldOut => "gRPC echo of \"sold out\"",
            Self::SoldOut => "**claim, after the end of the sale**",
        }
    }
}

/// The servers, and who calls them.
pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) tables: Tables,
    pub(super) tasks: Tasks,
    service: Process,
    echo: Process,
    locked: Process,
    seller: Seller,
    pub(super) at_service: Callers,
    at_echo: Callers,
    at_lock: Callers,
    /// A campaign of which nothing is left, and how many of the first people have its coupons.
    sold_out: Uuid,
    owners: usize,
    gave_up: Arc<AtomicUsize>,
}

impl Scene {
    pub(super) async fn set(plan: &Plan) -> Result<Self, BenchError> {
        let (stage, tasks) = (Stage::set().await?, Tasks::new());
        let tables = Tables::open(&stage, &tasks).await?;
        let service = stage.serve("coupon-svc").await?;
        let echo = stage.serve("usher-echo").await?;
        let locked = stage.serve("usher-locked").await?;
        let tokens = (0..plan.people).map(|_| stage.token(id::new(), Role::User));
        let people: Vec<Token> = tokens.collect::<Result<_, _>>()?;
        let people = Arc::from(people);
        let mut at = Vec::new();
        for process in [&service, &echo, &locked] {
            let callers = Callers::connect(process, &people).await?;
            let known = callers.clone();
            let show = move |caller, person| {
                let known = known.clone();
                async move {
                    known.show_token(caller, person).await;
                    Ok(())
                }
            };
            closed(&tasks, SETTING_UP, callers.count(), show).await?;
            at.push(callers);
        }
        let Ok([at_service, at_echo, at_lock]) = <[Callers; 3]>::try_from(at) else {
            return Err(BenchError::Contradiction("three servers".to_owned()));
        };
        let seller = Seller {
            campaigns: CampaignServiceClient::new(service.connect().await?),
            token: stage.token(id::new(), Role::Admin)?,
            stock: plan.stock().into(),
        };
        // Two for each of three in four people.
        let owners = usize::try_from(plan.stock() / 2).unwrap_or_default();
        let twice = pb::CampaignSettings {
            per_account_max: 2,
            ..settings()
        };
        let sold_out = seller.open(twice).await?;
        tables.copy_coupons().await?;
        let scene = Self {
            stage,
            tables,
            tasks,
            service,
            echo,
            locked,
            seller,
            at_service,
            at_echo,
            at_lock,
            sold_out,
            owners,
            gave_up: Arc::default(),
        };
        let sale = scene.claims(&scene.at_service, SETTING_UP, owners * 2, owners, sold_out);
        sale.await?;
        scene.tables.everything_is_sent().await?;
        Ok(scene)
    }

    const fn process(&self, way: Way) -> &Process {
        match way {
            Way::EchoClaim | Way::EchoSoldOut => &self.echo,
            Way::Locked => &self.locked,
            Way::Insert | Way::Claim | Way::SoldOut => &self.service,
        }
    }

    /// Processor seconds of service, Redis and load generator so far.
    pub(super) fn used(&self, way: Way) -> Result<[f64; 3], BenchError> {
        Ok([
            processor_seconds(self.process(way).pid())?,
            processor_seconds(self.stage.redis_pid)?,
            processor_seconds(std::process::id())?,
        ])
    }

    /// Peak memory of service and Redis, MB.
    pub(super) fn peaks(&self, way: Way) -> Result<[f64; 2], BenchError> {
        Ok([
            peak_mb(self.process(way).pid())?,
            peak_mb(self.stage.redis_pid)?,
        ])
    }

    pub(super) fn gave_up(&self) -> usize {
        self.gave_up.load(Ordering::Relaxed)
    }

    /// A campaign that is open.
    pub(super) async fn campaign(
        &self,
        settings: pb::CampaignSettings,
    ) -> Result<Uuid, BenchError> {
        self.seller.open(settings).await
    }

    /// The campaign of a round.
    pub(super) async fn prepare(&self, way: Way) -> Result<Uuid, BenchError> {
        match way {
            Way::EchoSoldOut => Ok(Uuid::nil()),
            Way::EchoClaim | Way::Insert => Ok(id::new()),
            Way::SoldOut => Ok(self.sold_out),
            Way::Claim => self.seller.open(settings()).await,
            Way::Locked => {
                let (campaign_id, stock) = (id::new(), self.seller.stock);
                let row = format!("INSERT INTO locked_stock VALUES ('{campaign_id}', {stock})");
                self.tables.run(row).await?;
                Ok(campaign_id)
            }
        }
    }

    pub(super) async fn round(
        &self,
        way: Way,
        plan: &Plan,
        callers: usize,
        campaign_id: Uuid,
    ) -> Result<Round, BenchError> {
        let people = self.at_service.count();
        match way {
            Way::EchoClaim => {
                let claims = self.claims(&self.at_echo, callers, plan.calls, people, campaign_id);
                claims.await
            }
            Way::Claim => {
                let claims = self.claims(&self.at_service, callers, people, people, campaign_id);
                claims.await
            }
            Way::Locked => self.locked(callers, plan.locked, campaign_id).await,
            Way::Insert => self.inserts(people, campaign_id).await,
            Way::EchoSoldOut => {
                let calls = self.refusals(&self.at_echo, callers, plan.calls, campaign_id);
                calls.await
            }
            Way::SoldOut => {
                let calls = self.refusals(&self.at_service, callers, plan.calls, campaign_id);
                calls.await
            }
        }
    }

    /// `count` claims by the first of the `people`: all of them get a coupon.
    pub(super) async fn claims(
        &self,
        at: &Callers,
        callers: usize,
        count: usize,
        people: usize,
        campaign_id: Uuid,
    ) -> Result<Round, BenchError> {
        let at = at.clone();
        let claim = move |caller, index: usize| {
            let at = at.clone();
            async move {
                let claimed = at.claim(caller, index % people, campaign_id).await;
                claimed.map(drop).map_err(failed("ClaimCoupon"))
            }
        };
        closed(&self.tasks, callers, count, claim).await
    }

    /// Whoever waits for the lock longer than the deadline of the method gets nothing, and is counted.
    async fn locked(
        &self,
        callers: usize,
        count: usize,
        campaign_id: Uuid,
    ) -> Result<Round, BenchError> {
        let (at, gave_up) = (self.at_lock.clone(), Arc::clone(&self.gave_up));
        let before = self.gave_up();
        let claim = move |caller, person| {
            let (at, gave_up) = (at.clone(), Arc::clone(&gave_up));
            async move {
                match at.claim(caller, person, campaign_id).await {
                    Ok(_) => Ok(()),
                    Err(status) if late(&status) => {
                        gave_up.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    }
                    Err(status) => Err(failed("ClaimCoupon under a lock")(status)),
                }
            }
        };
        let round = closed(&self.tasks, callers, count, claim).await?;
        let lost = u32::try_from(self.gave_up() - before).unwrap_or(u32::MAX);
        Ok(Round {
            done: round.done.saturating_sub(lost),
            ..round
        })
    }

    /// People without coupon claim one of a campaign of which nothing is left.
    async fn refusals(
        &self,
        at: &Callers,
        callers: usize,
        count: usize,
        campaign_id: Uuid,
    ) -> Result<Round, BenchError> {
        let (at, owners, others) = (at.clone(), self.owners, at.count() - self.owners);
        let claim = move |caller, index: usize| {
            let at = at.clone();
            async move {
                let person = owners + index % others;
                match at.claim(caller, person, campaign_id).await {
                    Err(status) if status.message() == SOLD_OUT => Ok(()),
                    Err(status) => Err(failed("ClaimCoupon")(status)),
                    Ok(_) => Err(BenchError::Contradiction("it is not sold out".to_owned())),
                }
            }
        };
        closed(&self.tasks, callers, count, claim).await
    }

    /// One statement after the other.
    async fn inserts(&self, count: usize, campaign_id: Uuid) -> Result<Round, BenchError> {
        let tables = self.tables.clone();
        let insert = move |_, _| {
            let tables = tables.clone();
            async move { tables.insert(campaign_id, INSERTS).await }
        };
        let statements = count.div_ceil(INSERTS);
        let round = closed(&self.tasks, 1, statements, insert).await?;
        let done = u32::try_from(statements * INSERTS).unwrap_or(u32::MAX);
        Ok(Round { done, ..round })
    }

    /// Counts what was claimed, and lets nothing of a round go on in the next one.
    pub(super) async fn clean_up(&self, way: Way, campaign_id: Uuid) -> Result<(), BenchError> {
        match way {
            Way::Claim => {
                let issued = self.seller.issued(campaign_id).await?;
                if issued != u64::try_from(self.at_service.count()).unwrap_or_default() {
                    let told = format!("{issued} coupons in Postgres");
                    return Err(BenchError::Contradiction(told));
                }
                self.tables.everything_is_sent().await
            }
            Way::Insert => self.tables.run("TRUNCATE raw_coupon".to_owned()).await,
            Way::EchoClaim | Way::Locked | Way::EchoSoldOut | Way::SoldOut => Ok(()),
        }
    }

    /// Compares answers of the others with real ones: a limit of shorter answers would be none.
    pub(super) async fn answers_are_alike(&self) -> Result<String, BenchError> {
        let (new, stock) = (self.seller.open(settings()).await?, self.seller.stock);
        let row = format!("INSERT INTO locked_stock VALUES ('{new}', {stock})");
        self.tables.run(row).await?;
        let servers = [&self.at_service, &self.at_echo, &self.at_lock];
        let mut coupons = Vec::new();
        for at in servers {
            let coupon = at.claim(0, 0, new).await.map_err(failed("ClaimCoupon"))?;
            coupons.push(coupon.encoded_len());
        }
        let mut refusals = Vec::new();
        for (at, campaign_id) in [
            (&self.at_service, self.sold_out),
            (&self.at_echo, Uuid::nil()),
        ] {
            let refused = at.claim(0, self.owners, campaign_id).await;
            refusals.push(refused.map_or_else(|status| bytes(&status), |_| 0));
        }
        let told = format!(
            "Bytes of a coupon as it is answered, by the echo and under the lock: {coupons:?}; of \"sold out\", and of the echo's: {refusals:?}."
        );
        let alike = |bytes: &[usize]| {
            let (least, most) = (bytes.iter().min(), bytes.iter().max());
            least
                .zip(most)
                .is_some_and(|(least, most)| most - least <= ALIKE_BYTES)
        };
        if alike(&coupons) && alike(&refusals) {
            Ok(told)
        } else {
            Err(BenchError::Contradiction(told))
        }
    }
}

fn late(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}

fn bytes(status: &Status) -> usize {
    status.message().len() + status.details().len()
}
