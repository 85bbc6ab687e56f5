//! The whole service on a database of its own and the Redis of the stack, and people who call it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;
use coupon_svc::config::Config;
use coupon_svc::domain::code::CodeKey;
use coupon_svc::service::{ServiceError, serve_on};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::clock::to_timestamp;
use mesh::config::{Env, ProcessEnv, Secret};
use mesh::identity::{
    Claims, JwksSource, MESH_IDENTITY, MESH_TOKEN, Role, SigningKey, VerifierOptions,
};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, Database, DatabaseOptions};
use mesh::process::Runtime;
use mesh::redis::Redis;
use mesh::server::{Listeners, ServerConfig};
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use mesh::timings::Timings;
use prost::{Message, Name};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::campaign_service_client::CampaignServiceClient;
use proto::usher::coupon::v1::claim_queue_service_client::ClaimQueueServiceClient;
use proto::usher::coupon::v1::code_service_client::CodeServiceClient;
use proto::usher::coupon::v1::coupon_service_client::CouponServiceClient;
use proto::usher::coupon::v1::grant_service_client::GrantServiceClient;
use proto::usher::coupon::v1::issued_coupon_service_client::IssuedCouponServiceClient;
use proto::usher::coupon::v1::reservation_service_client::ReservationServiceClient;
use redis::Pipeline;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// No condition of these tests takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What peers share.
const TOKEN: &str = "a secret between peers";

/// Names on the broker that all homes share. Nobody listens there.
static SHARED: LazyLock<String> = LazyLock::new(|| format!("t{}.", mesh::id::new().simple()));

fn of_the_stack(name: &'static str) -> String {
    ProcessEnv.get(name).unwrap_or_else(|| {
        panic!("{name} is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`")
    })
}

/// What outlives an instance: database, keys, and the folder they are in.
pub(crate) struct Home {
    folder: PathBuf,
    key: SigningKey,
    storage: TestDatabase,
    /// Of its own, and with it the counts of wrong codes.
    pub(crate) code_key: CodeKey,
    /// Prefix of its names on the broker.
    prefix: String,
}

/// A running coupon-svc.
pub(crate) struct Instance {
    pub(crate) campaigns: CampaignServiceClient<Channel>,
    pub(crate) coupons: CouponServiceClient<Channel>,
    pub(crate) reservations: ReservationServiceClient<Channel>,
    pub(crate) codes: CodeServiceClient<Channel>,
    pub(crate) grants: GrantServiceClient<Channel>,
    pub(crate) issued: IssuedCouponServiceClient<Channel>,
    pub(crate) queue: ClaimQueueServiceClient<Channel>,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), ServiceError>>,
    owner: Tasks,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("usher-coupon-{}", mesh::id::new()));
        std::fs::create_dir(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        let storage = TestDatabase::create().await.unwrap();
        Self {
            folder,
            key,
            storage,
            code_key: mesh::id::new().to_string().parse().unwrap(),
            prefix: SHARED.clone(),
        }
    }

    /// A home whose messages no other one reads. Queues stay until the stack is reset, so that only few tests have their own.
    pub(crate) async fn with_queues() -> Self {
        let mut home = Self::new().await;
        home.prefix = format!("t{}.", mesh::id::new().simple());
        home
    }

    pub(crate) async fn start(&self) -> Instance {
        self.start_on(&Secret::new(of_the_stack("USHER_REDIS_URL")))
            .await
    }

    /// An instance on this Redis.
    pub(crate) async fn start_on(&self, redis_url: &Secret) -> Instance {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let server = ServerConfig {
            listen: loopback,
            admin_listen: loopback,
            addr_file: None,
            tokens: VerifierOptions {
                jwks: JwksSource::File(self.folder.join("jwks.json")),
                issuer: "home".to_owned(),
                audience: "usher".to_owned(),
            },
            mesh_token: Secret::new(TOKEN),
            policy_overlay: None,
            otlp_endpoint: None,
            log: "off".to_owned(),
        };
        let listeners = Listeners::bind(&server).await.unwrap();
        let address = listeners.address();
        let config = Config {
            server,
            database_url: self.storage.url().clone(),
            amqp_url: Secret::new(of_the_stack("USHER_AMQP_URL")),
            amqp_prefix: self.prefix.clone(),
            redis_url: redis_url.clone(),
            code_key: self.code_key.clone(),
            timings: Timings::test(),
        };
        let (shutdown, owner) = (CancellationToken::new(), Tasks::new());
        let runtime = Runtime {
            tasks: Tasks::new(),
            telemetry: Telemetry::detached().unwrap(),
            shutdown: shutdown.clone(),
        };
        let ended = owner.spawn("coupon-svc", async move {
            serve_on(config, listeners, runtime).await
        });
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        let instance = Instance {
            campaigns: CampaignServiceClient::new(channel.clone()),
            coupons: CouponServiceClient::new(channel.clone()),
            reservations: ReservationServiceClient::new(channel.clone()),
            codes: CodeServiceClient::new(channel.clone()),
            grants: GrantServiceClient::new(channel.clone()),
            issued: IssuedCouponServiceClient::new(channel.clone()),
            queue: ClaimQueueServiceClient::new(channel),
            shutdown,
            ended,
            owner,
        };
        until("it serves", async || {
            let list = pb::ListMyCouponsRequest::default();
            let list = self.by(mesh::id::new(), Role::User, list);
            instance.coupons.clone().list_my_coupons(list).await.ok()
        })
        .await;
        instance
    }

    /// A request of an account.
    pub(crate) fn by<T>(&self, account_id: Uuid, role: Role, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let now = mesh::clock::now().timestamp();
        let claims = Claims {
            iss: "home".to_owned(),
            aud: "usher".to_owned(),
            sub: account_id,
            roles: vec![role],
            scope: String::new(),
            iat: now,
            exp: now + 600,
            jti: mesh::id::new().to_string(),
        };
        let token = format!("Bearer {}", self.key.sign(&claims).unwrap());
        request
            .metadata_mut()
            .insert("authorization", token.parse().unwrap());
        request
    }

    /// A request of booking-svc.
    pub(crate) fn peer<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(MESH_IDENTITY, "booking-svc".parse().unwrap());
        metadata.insert(MESH_TOKEN, TOKEN.parse().unwrap());
        request
    }

    pub(crate) async fn connection(&self) -> Connection {
        Connection::establish(self.storage.url().expose())
            .await
            .unwrap()
    }

    pub(crate) fn url(&self) -> &Secret {
        self.storage.url()
    }

    pub(crate) async fn database(&self) -> Database {
        let (options, tasks) = (DatabaseOptions::new("test"), Tasks::new());
        let database = Database::connect(self.storage.url(), &options, &tasks);
        database.await.unwrap()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        let mut connection = self.connection().await;
        connection.batch_execute(sql).await.unwrap();
    }

    /// Keeps every event that is told from now on in table `told`: the outbox forgets what was sent.
    pub(crate) async fn listen(&self) {
        self.sql(
            "CREATE TABLE told (type text, aggregate uuid); \
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO told VALUES (NEW.type, NEW.aggregate); RETURN NULL; END $$; \
             CREATE TRIGGER note AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION note()",
        )
        .await;
    }

    /// Keeps whatever the outbox is given from now on in table `sent`.
    pub(crate) async fn keep_sent(&self) {
        self.sql(
            "CREATE TABLE sent AS SELECT message_id, part, aggregate, type, exchange, payload, headers FROM outbox WHERE false; \
             CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO sent VALUES (NEW.message_id, NEW.part, NEW.aggregate, NEW.type, NEW.exchange, NEW.payload, NEW.headers); \
             RETURN NULL; END $$; \
             CREATE TRIGGER keep AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION keep()",
        )
        .await;
    }

    /// Messages of this kind that were kept: each as often as it was told.
    pub(crate) async fn sent<M: Message + Name + Default>(&self) -> Vec<M> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Binary)]
            payload: Vec<u8>,
        }
        let name = M::full_name();
        let rows: Vec<Row> =
            diesel::sql_query(format!("SELECT payload FROM sent WHERE type = '{name}'"))
                .load(&mut self.connection().await)
                .await
                .unwrap();
        let messages = rows.iter().map(|row| M::decode(&row.payload[..]).unwrap());
        messages.collect()
    }

    /// How many events of this kind were told, and of how many subjects.
    pub(crate) async fn told(&self, kind: &str) -> (i64, i64) {
        let told = format!("FROM told WHERE type = 'usher.coupon.events.v1.{kind}'");
        (
            self.number(&format!("SELECT count(*) AS n {told}")).await,
            self.number(&format!("SELECT count(DISTINCT aggregate) AS n {told}"))
                .await,
        )
    }

    /// The number that `sql` answers as `n`.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Number {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let row: Number = diesel::sql_query(sql)
            .get_result(&mut self.connection().await)
            .await
            .unwrap();
        row.n
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Instance {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
        self.owner.shutdown(Duration::from_secs(5)).await;
    }

    pub(crate) async fn create(
        &self,
        home: &Home,
        (account_id, role): (Uuid, Role),
        settings: pb::CampaignSettings,
    ) -> Result<pb::Campaign, Status> {
        let request = pb::CreateCampaignRequest {
            request_id: mesh::id::new().to_string(),
            settings: Some(settings),
        };
        let request = home.by(account_id, role, request);
        let response = self.campaigns.clone().create_campaign(request).await?;
        Ok(response.into_inner().campaign.unwrap())
    }

    pub(crate) async fn open(
        &self,
        home: &Home,
        (account_id, role): (Uuid, Role),
        campaign_id: &str,
    ) -> Result<pb::Campaign, Status> {
        let request = pb::OpenCampaignRequest {
            request_id: mesh::id::new().to_string(),
            campaign_id: campaign_id.to_owned(),
        };
        let request = home.by(account_id, role, request);
        let response = self.campaigns.clone().open_campaign(request).await?;
        Ok(response.into_inner().campaign.unwrap())
    }

    pub(crate) async fn end(
        &self,
        home: &Home,
        (account_id, role): (Uuid, Role),
        campaign_id: &str,
    ) -> Result<pb::Campaign, Status> {
        let request = pb::EndCampaignRequest {
            request_id: mesh::id::new().to_string(),
            campaign_id: campaign_id.to_owned(),
        };
        let request = home.by(account_id, role, request);
        let response = self.campaigns.clone().end_campaign(request).await?;
        Ok(response.into_inner().campaign.unwrap())
    }

    /// A campaign of the platform that is open.
    pub(crate) async fn campaign(&self, home: &Home, settings: pb::CampaignSettings) -> Uuid {
        let admin = (mesh::id::new(), Role::Admin);
        let campaign = self.create(home, admin, settings).await.unwrap();
        self.open(home, admin, &campaign.campaign_id).await.unwrap();
        campaign.campaign_id.parse().unwrap()
    }

    pub(crate) async fn claim(
        &self,
        home: &Home,
        campaign_id: Uuid,
        account_id: Uuid,
        request_id: Uuid,
    ) -> Result<pb::Coupon, Status> {
        let request = pb::ClaimCouponRequest {
            request_id: request_id.to_string(),
            campaign_id: campaign_id.to_string(),
        };
        let request = home.by(account_id, Role::User, request);
        let response = self.coupons.clone().claim_coupon(request).await?;
        Ok(response.into_inner().coupon.unwrap())
    }

    pub(crate) async fn stats(&self, home: &Home, campaign_id: Uuid) -> pb::CampaignStats {
        let request = pb::GetCampaignStatsRequest {
            campaign_id: campaign_id.to_string(),
        };
        let request = home.by(mesh::id::new(), Role::Admin, request);
        let response = self.campaigns.clone().get_campaign_stats(request).await;
        response.unwrap().into_inner().stats.unwrap()
    }
}

/// Ten percent off everything, first come first served.
pub(crate) fn settings(stock: i64) -> pb::CampaignSettings {
    let now = mesh::clock::now();
    pb::CampaignSettings {
        name: "Ten percent".to_owned(),
        terms: Some(pb::CouponTerms {
            currency: "KRW".to_owned(),
            kind: pb::DiscountKind::OrderPercent.into(),
            value: 10,
            ..pb::CouponTerms::default()
        }),
        stock,
        claim_open_time: Some(to_timestamp(now - TimeDelta::hours(1))),
        claim_close_time: Some(to_timestamp(now + TimeDelta::hours(1))),
        use_days: 30,
        ..pb::CampaignSettings::default()
    }
}

/// The Redis of the stack.
pub(crate) fn redis() -> Redis {
    Redis::open(&Secret::new(of_the_stack("USHER_REDIS_URL"))).unwrap()
}

/// Keys of the gates of a campaign.
pub(crate) async fn gate_keys(redis: &Redis, campaign_id: Uuid) -> Vec<String> {
    let mut look = Pipeline::with_capacity(1);
    look.cmd("KEYS")
        .arg(format!("usher:coupon:{{{campaign_id}}}:*"));
    let found = redis.run(&look).await.unwrap().pop().unwrap();
    redis::from_redis_value(found).unwrap()
}

/// Waits until `look` finds something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info();
    info.map_or_else(|| format!("{status:?}"), |info| info.reason.clone())
}

pub(crate) fn detail(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    info.metadata.get(key).cloned().unwrap_or_default()
}

/// Fields that a refusal names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().unwrap().field_violations.clone();
    violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
