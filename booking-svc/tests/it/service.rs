//! The catalogue behind the layers of a real server.

use std::path::PathBuf;
use std::sync::Arc;

use booking_svc::app::catalogue::Catalogue;
use booking_svc::grpc::{CatalogApi, Passes, list_units};
use mesh::health::Health;
use mesh::identity::{
    Account, Caller, Claims, JwksSource, PASS_ISSUER, Role, SigningKey, VerifierOptions,
};
use mesh::pg::{Database, DatabaseOptions};
use mesh::policy::Access;
use mesh::server::{Listeners, Server, ServerConfig};
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use mesh::{clock, config, id};
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::catalog_service_client::CatalogServiceClient;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::support::Storage;

/// Largest message of these tests: a little more than the contract allows.
const MESSAGE_MAX: usize = 33 * 1024 * 1024;

/// Somebody who calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) account_id: Uuid,
    pub(crate) role: Role,
}

impl Person {
    pub(crate) fn new(role: Role) -> Self {
        let account_id = id::new();
        Self { account_id, role }
    }
}

/// What the service knows of the keys of waiting rooms.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RoomKeys {
    Known,
    /// It was told where they are, and they are not.
    Away,
    /// Nobody told it where they are.
    Untold,
}

pub(crate) struct Service {
    pub(crate) client: CatalogServiceClient<Channel>,
    pub(crate) catalogue: Catalogue,
    key: SigningKey,
    /// Signs the passes of waiting rooms.
    pub(crate) room: SigningKey,
    passes: Passes,
    shutdown: CancellationToken,
    folder: PathBuf,
    // Last: dropped after everything that uses it.
    pub(crate) storage: Storage,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.cancel();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(RoomKeys::Known).await
    }

    pub(crate) async fn with(keys: RoomKeys) -> Self {
        let storage = Storage::new().await;
        let folder = std::env::temp_dir().join(format!("usher-booking-{}", id::new()));
        std::fs::create_dir(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        let config = ServerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: "127.0.0.1:0".parse().unwrap(),
            addr_file: None,
            tokens: VerifierOptions {
                jwks: JwksSource::File(folder.join("jwks.json")),
                issuer: "home".to_owned(),
                audience: "usher".to_owned(),
            },
            mesh_token: config::Secret::new("a secret between peers"),
            policy_overlay: None,
            otlp_endpoint: None,
            log: "off".to_owned(),
        };
        let tasks = Tasks::new();
        let options = DatabaseOptions::new("test");
        let database = Database::connect(storage.database.url(), &options, &tasks)
            .await
            .unwrap();
        let catalogue = Catalogue::new(database);
        let listeners = Listeners::bind(&config).await.unwrap();
        let address = format!("http://{}", listeners.address());
        let shutdown = CancellationToken::new();
        let room = SigningKey::generate().unwrap();
        let passes = passes(&room, keys, folder.join("passes.json"), &tasks);
        let service = CatalogApi::new(catalogue.clone(), passes.clone()).into_server();
        let server = Server::new(tasks.clone(), Health::new(), Telemetry::detached().unwrap())
            .service(service);
        let stop = shutdown.clone();
        tasks.spawn("server", async move {
            server.serve(&config, listeners, stop).await
        });
        let channel = Channel::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            client: CatalogServiceClient::new(channel).max_encoding_message_size(MESSAGE_MAX),
            catalogue,
            key,
            room,
            passes,
            shutdown,
            folder,
            storage,
        }
    }

    /// `body` as `person` sends it; nobody in particular sends it without a token.
    pub(crate) fn call<T>(&self, person: impl Into<Option<Person>>, body: T) -> Request<T> {
        let mut request = Request::new(body);
        if let Some(person) = person.into() {
            let now = clock::now().timestamp();
            let claims = Claims {
                iss: "home".to_owned(),
                aud: "usher".to_owned(),
                sub: person.account_id,
                roles: vec![person.role],
                scope: String::new(),
                iat: now,
                exp: now + 600,
                jti: id::new().to_string(),
            };
            let token = format!("Bearer {}", self.key.sign(&claims).unwrap());
            request
                .metadata_mut()
                .insert("authorization", token.parse().unwrap());
        }
        request
    }

    /// ListUnits, without the wire: InventoryService is not part of this server.
    pub(crate) async fn units(
        &self,
        person: impl Into<Option<Person>>,
        body: pb::ListUnitsRequest,
    ) -> Result<pb::ListUnitsResponse, Status> {
        self.list_units(person, Request::new(body)).await
    }

    /// The same for a request that says more.
    pub(crate) async fn list_units(
        &self,
        person: impl Into<Option<Person>>,
        mut request: Request<pb::ListUnitsRequest>,
    ) -> Result<pb::ListUnitsResponse, Status> {
        let account = person.into().map(|person| {
            let account_id = person.account_id;
            let access = match person.role {
                Role::Admin => Access::Admin,
                Role::Seller => Access::Seller,
                Role::User | Role::Other => Access::User,
            };
            Arc::new(Account {
                account_id,
                access,
                scopes: Vec::new(),
                expire_time: clock::now(),
            })
        });
        request.extensions_mut().insert(Caller {
            account,
            peer: None,
        });
        list_units(&self.catalogue, &self.passes, request)
            .await
            .map(Response::into_inner)
    }
}

fn passes(room: &SigningKey, keys: RoomKeys, file: PathBuf, tasks: &Tasks) -> Passes {
    if let RoomKeys::Known = keys {
        std::fs::write(&file, room.to_jwks()).unwrap();
    }
    let told = !matches!(keys, RoomKeys::Untold);
    Passes::start(told.then_some(JwksSource::File(file)), tasks)
}

/// A pass of a place in the room of this show that ends in so many seconds.
pub(crate) fn pass(room: &SigningKey, show_id: &str, account_id: Uuid, ends_in: i64) -> String {
    let exp = clock::now().timestamp() + ends_in;
    let claims = json!({"iss": PASS_ISSUER, "aud": show_id, "sub": account_id, "exp": exp, "jti": "1:0:7:1",
        "epoch": 1, "lane": 0, "seq": 7, "no": 1, "ses": 0});
    room.sign(&claims).unwrap()
}

/// Code and reason of a refusal, e.g. `NotFound VENUE_NOT_FOUND`.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    let info = status.get_details_error_info().expect("ErrorInfo");
    format!("{:?} {}", status.code(), info.reason)
}

/// Fields that a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    let status = answer.unwrap_err();
    let bad = status.get_details_bad_request().expect("BadRequest");
    bad.field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
