//! The whole service on a database of its own and the Redis of the stack, and people who call it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel_async::{AsyncConnection, RunQueryDsl};
use mesh::config::Secret;
use mesh::identity::{Claims, JwksSource, Role, SigningKey, VerifierOptions};
use mesh::pg::Connection;
use mesh::pg::testing::TestDatabase;
use mesh::process::Runtime;
use mesh::server::{Listeners, ServerConfig};
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use mesh::timings::Timings;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::queue_service_client::QueueServiceClient;
use proto::usher::queue::v1::room_service_client::RoomServiceClient;
use queue_svc::config::Config;
use queue_svc::service::{ServiceError, serve_on};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::support::{amqp_url, redis_url};

/// No condition of these tests takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Streams of an instance.
pub(crate) const STREAMS_MAX: usize = 3;
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What outlives an instance: database, keys, and the folder they are in.
pub(crate) struct Home {
    folder: PathBuf,
    key: SigningKey,
    storage: TestDatabase,
    /// Of queues and exchanges.
    prefix: String,
}

/// Names on the broker that all homes share who do not listen to it. Nothing is published there.
static SHARED: LazyLock<String> = LazyLock::new(|| format!("t{}.", mesh::id::new().simple()));

/// The way to a queue-svc.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) queue: QueueServiceClient<Channel>,
    pub(crate) rooms: RoomServiceClient<Channel>,
}

/// A running queue-svc.
pub(crate) struct Instance {
    door: Door,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), ServiceError>>,
    owner: Tasks,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("usher-queue-{}", mesh::id::new()));
        std::fs::create_dir(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        let seed = STANDARD.encode([7; 32]);
        let ring = serde_json::json!({"keys": [{"key_id": 1, "seed": seed, "valid_from_time": "2020-01-01T00:00:00Z", "valid_until_time": null}]});
        std::fs::write(folder.join("queue-keys.json"), ring.to_string()).unwrap();
        let storage = TestDatabase::create().await.unwrap();
        Self {
            folder,
            key,
            storage,
            prefix: SHARED.clone(),
        }
    }

    /// With queues of its own. They stay until the stack is reset: RabbitMQ 3.10 loses the supervisor of all dead-lettering when a young queue is
    /// deleted.
    pub(crate) async fn listening() -> Self {
        let mut home = Self::new().await;
        home.prefix = format!("t{}.", mesh::id::new().simple());
        home
    }

    /// Publishes an event as booking-svc does, through the outbox of this home.
    pub(crate) async fn publish<M: prost::Message + prost::Name>(&self, event: &M) {
        let mut connection = self.connection().await;
        let subject = mesh::id::new();
        mesh::outbox::append(&mut connection, event, subject)
            .await
            .unwrap();
    }

    pub(crate) async fn start(&self) -> Instance {
        self.start_gated(0).await
    }

    /// An instance that tells a pass when so many replicas of Redis know of it; the stack has none.
    pub(crate) async fn start_gated(&self, wait_replicas: u32) -> Instance {
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
            mesh_token: Secret::new("a secret between peers"),
            policy_overlay: None,
            otlp_endpoint: None,
            log: "off".to_owned(),
        };
        let listeners = Listeners::bind(&server).await.unwrap();
        let address = listeners.address();
        let config = Config {
            server,
            database_url: self.storage.url().clone(),
            amqp_url: Secret::new(amqp_url()),
            amqp_prefix: self.prefix.clone(),
            redis_url: Secret::new(redis_url()),
            keys: self.folder.join("queue-keys.json").display().to_string(),
            wait_replicas,
            streams_max: STREAMS_MAX,
            timings: Timings::test(),
        };
        let (shutdown, owner) = (CancellationToken::new(), Tasks::new());
        let runtime = Runtime {
            tasks: Tasks::new(),
            telemetry: Telemetry::detached().unwrap(),
            shutdown: shutdown.clone(),
        };
        let ended = owner.spawn("queue-svc", async move {
            serve_on(config, listeners, runtime).await
        });
        let door = Door::at(&address.to_string());
        door.serves().await;
        Instance {
            door,
            shutdown,
            ended,
            owner,
        }
    }

    /// What a process of queue-svc is told of it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("USHER_DATABASE_URL", self.storage.url().expose().to_owned()),
            ("USHER_QUEUE_KEYS", file("queue-keys.json")),
            ("USHER_AMQP_URL", amqp_url()),
            ("USHER_AMQP_PREFIX", self.prefix.clone()),
            ("USHER_JWKS", file("jwks.json")),
            ("USHER_JWT_ISSUER", "home".to_owned()),
            ("USHER_MESH_TOKEN", "a secret between peers".to_owned()),
        ]
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
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

    async fn connection(&self) -> Connection {
        Connection::establish(self.storage.url().expose())
            .await
            .unwrap()
    }

    /// The number that `sql` answers as `n`.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        number(&mut self.connection().await, sql).await
    }

    pub(crate) fn admin(&self) -> Uuid {
        mesh::id::derive(Uuid::nil(), "admin")
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
}

impl Deref for Instance {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Door {
    /// To whatever serves at `address`, now or later.
    pub(crate) fn at(address: &str) -> Self {
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        Self {
            queue: QueueServiceClient::new(channel.clone()),
            rooms: RoomServiceClient::new(channel),
        }
    }

    pub(crate) async fn serves(&self) {
        until("it serves", async || {
            let keys = pb::GetPassKeysRequest {};
            self.queue.clone().get_pass_keys(keys).await.ok()
        })
        .await;
    }

    /// A room that is open, unless its settings say otherwise.
    pub(crate) async fn room(&self, home: &Home, settings: pb::RoomSettings) -> Uuid {
        let show_id = mesh::id::new();
        let opens = settings.open_time.is_none();
        self.put(home, show_id, settings).await.unwrap();
        if opens {
            let request = pb::OpenRoomRequest {
                request_id: mesh::id::new().to_string(),
                show_id: show_id.to_string(),
                reason: "test".to_owned(),
            };
            let request = home.by(home.admin(), Role::Admin, request);
            self.rooms.clone().open_room(request).await.unwrap();
        }
        show_id
    }

    pub(crate) async fn put(
        &self,
        home: &Home,
        show_id: Uuid,
        settings: pb::RoomSettings,
    ) -> Result<pb::Room, Status> {
        let request = pb::PutRoomRequest {
            request_id: mesh::id::new().to_string(),
            show_id: show_id.to_string(),
            settings: Some(settings),
            reason: "test".to_owned(),
        };
        let request = home.by(home.admin(), Role::Admin, request);
        let response = self.rooms.clone().put_room(request).await?;
        Ok(response.into_inner().room.unwrap())
    }

    pub(crate) async fn stats(&self, home: &Home, show_id: Uuid) -> pb::RoomStats {
        self.try_stats(home, show_id).await.unwrap()
    }

    pub(crate) async fn try_stats(
        &self,
        home: &Home,
        show_id: Uuid,
    ) -> Result<pb::RoomStats, Status> {
        let request = pb::GetRoomStatsRequest {
            show_id: show_id.to_string(),
        };
        let request = home.by(home.admin(), Role::Admin, request);
        let response = self.rooms.clone().get_room_stats(request).await?;
        Ok(response.into_inner().stats.unwrap())
    }

    /// Stats that were read after this call began.
    pub(crate) async fn fresh_stats(&self, home: &Home, show_id: Uuid) -> pb::RoomStats {
        let old = self.stats(home, show_id).await.read_time;
        let mut newer = old;
        until("the view is read twice more", async || {
            let stats = self.stats(home, show_id).await;
            if stats.read_time != old && newer == old {
                newer = stats.read_time;
            }
            (newer != old && stats.read_time != newer).then_some(stats)
        })
        .await
    }

    /// Joins; where the line is only being set up, again.
    pub(crate) async fn join(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<pb::Place, Status> {
        until("the line answers", async || {
            let joined = self.try_join(home, show_id, account_id, ticket).await;
            let waits = joined
                .as_ref()
                .is_err_and(|status| reason(status) == "LINE_UNAVAILABLE");
            (!waits).then_some(joined)
        })
        .await
    }

    /// Joins and claims until inside.
    pub(crate) async fn enter(&self, home: &Home, show_id: Uuid, account_id: Uuid) -> pb::Place {
        until("they come in", async || {
            let place = self.join(home, show_id, account_id, "").await.unwrap();
            match place.state() {
                pb::PlaceState::Admitted => Some(place),
                _ => {
                    let ticket = place.ticket;
                    let claimed = self.claim(home, show_id, account_id, &ticket).await;
                    // A claim tells a ticket only where there is a new one.
                    claimed.ok().map(|place| match place.ticket.is_empty() {
                        true => pb::Place { ticket, ..place },
                        false => place,
                    })
                }
            }
        })
        .await
    }

    pub(crate) async fn try_join(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<pb::Place, Status> {
        let request = pb::JoinRequest {
            ticket: ticket.to_owned(),
            ..pb::JoinRequest::default()
        };
        self.join_by(home, show_id, account_id, request).await
    }

    async fn join_by(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        request: pb::JoinRequest,
    ) -> Result<pb::Place, Status> {
        let request = pb::JoinRequest {
            request_id: mesh::id::new().to_string(),
            show_id: show_id.to_string(),
            ..request
        };
        let request = home.by(account_id, Role::User, request);
        let response = self.queue.clone().join(request).await?;
        Ok(response.into_inner().place.unwrap())
    }

    /// Joins with more to say than a ticket.
    pub(crate) async fn join_with(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        request: pb::JoinRequest,
    ) -> Result<pb::Place, Status> {
        until("the line answers", async || {
            let joined = self
                .join_by(home, show_id, account_id, request.clone())
                .await;
            let waits = joined
                .as_ref()
                .is_err_and(|status| reason(status) == "LINE_UNAVAILABLE");
            (!waits).then_some(joined)
        })
        .await
    }

    /// Watches a place.
    pub(crate) async fn watch(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<Streaming<pb::WatchResponse>, Status> {
        let request = pb::WatchRequest {
            show_id: show_id.to_string(),
            ticket: ticket.to_owned(),
            shown_position: 0,
        };
        let request = home.by(account_id, Role::User, request);
        Ok(self.queue.clone().watch(request).await?.into_inner())
    }

    pub(crate) async fn poll(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<pb::Place, Status> {
        let request = pb::PollRequest {
            show_id: show_id.to_string(),
            ticket: ticket.to_owned(),
            shown_position: 0,
        };
        let request = home.by(account_id, Role::User, request);
        let response = self.queue.clone().poll(request).await?;
        Ok(response.into_inner().place.unwrap())
    }

    pub(crate) async fn claim(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<pb::Place, Status> {
        let request = pb::ClaimRequest {
            request_id: mesh::id::new().to_string(),
            show_id: show_id.to_string(),
            ticket: ticket.to_owned(),
        };
        let request = home.by(account_id, Role::User, request);
        let response = self.queue.clone().claim(request).await?;
        Ok(response.into_inner().place.unwrap())
    }

    pub(crate) async fn renew(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        pass: &str,
    ) -> Result<pb::Place, Status> {
        let request = pb::RenewRequest {
            request_id: mesh::id::new().to_string(),
            show_id: show_id.to_string(),
            pass: pass.to_owned(),
        };
        let request = home.by(account_id, Role::User, request);
        let response = self.queue.clone().renew(request).await?;
        Ok(response.into_inner().place.unwrap())
    }

    pub(crate) async fn leave(
        &self,
        home: &Home,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<pb::Place, Status> {
        let request = pb::LeaveRequest {
            request_id: mesh::id::new().to_string(),
            show_id: show_id.to_string(),
            ticket: ticket.to_owned(),
        };
        let request = home.by(account_id, Role::User, request);
        let response = self.queue.clone().leave(request).await?;
        Ok(response.into_inner().place.unwrap())
    }
}

/// The number that `sql` answers as `n`.
pub(crate) async fn number(connection: &mut Connection, sql: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let row: Row = diesel::sql_query(sql).get_result(connection).await.unwrap();
    row.n
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_details_error_info();
    details.map_or_else(|| status.to_string(), |info| info.reason)
}

/// Waits until `look` finds something; fails with `what` when it never does.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found,
        Err(_) => panic!("never happened: {what}"),
    }
}

/// A small room.
pub(crate) fn settings(capacity: u32) -> pb::RoomSettings {
    pb::RoomSettings {
        capacity,
        rate: 100_000,
        ..pb::RoomSettings::default()
    }
}
