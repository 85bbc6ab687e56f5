//! Puts the parts together and serves.

use std::time::Duration;

use mesh::amqp::{self, Broker, BrokerError, ConsumerOptions, NoSuchQueue, Publisher};
use mesh::clock;
use mesh::dead_letters;
use mesh::events::{Events, EventsError};
use mesh::faults::Faults;
use mesh::health::{Health, Need};
use mesh::outbox::{Relay, RelayOptions};
use mesh::pg::{ConnectError, Database, DatabaseOptions, MigrateError, migrate};
use mesh::process::Runtime;
use mesh::redis::{OpenError, Redis, Wait};
use mesh::server::{Listeners, Server, ServerError};
use mesh::tasks::Tasks;
use proto::usher::queue::v1::queue_service_server::QueueServiceServer;
use proto::usher::queue::v1::room_service_server::RoomServiceServer;
use thiserror::Error;

use crate::app::manage::Managing;
use crate::app::wait::Waiting;
use crate::app::watch::Watching;
use crate::config::Config;
use crate::consumer::{BOOKINGS, Bookings, SHOWS, Shows};
use crate::credentials::{KeyRing, KeysError};
use crate::grpc::queue::QueueApi;
use crate::grpc::room::RoomApi;
use crate::line::library;
use crate::rooms::{Parts, Rooms};
use crate::store::MIGRATIONS;

/// Name among peers.
pub const NAME: &str = "queue-svc";

/// Longest wait for replicas. Longer than any of them needs on a healthy network, shorter than anybody's deadline.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// How often Redis is asked whether it is there.
const REDIS_WATCH: Duration = Duration::from_secs(1);

/// Why the service did not start, or ended.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The database is not up to date.
    #[error("the database cannot be migrated")]
    Migrate(#[from] MigrateError),
    /// No database.
    #[error("the database cannot be opened")]
    Database(#[from] ConnectError),
    /// No Redis.
    #[error("Redis cannot be used")]
    Redis(#[from] OpenError),
    /// No file of keys.
    #[error("the keys of passes cannot be read from {path}")]
    KeysFile {
        /// Where they should be.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// No keys in it.
    #[error("the keys of passes cannot be used")]
    Keys(#[from] KeysError),
    /// The contracts.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The broker's address.
    #[error("the broker cannot be used")]
    Broker(#[from] BrokerError),
    /// A queue without contract.
    #[error(transparent)]
    Queue(#[from] NoSuchQueue),
    /// The server.
    #[error("the server ended")]
    Server(#[from] ServerError),
}

/// Migrates, connects, looks after every room, and serves until the shutdown of `runtime`.
pub async fn serve(config: Config, runtime: Runtime) -> Result<(), ServiceError> {
    let listeners = Listeners::bind(&config.server).await?;
    serve_on(config, listeners, runtime).await
}

/// The same on listeners that are bound already.
pub async fn serve_on(
    config: Config,
    listeners: Listeners,
    runtime: Runtime,
) -> Result<(), ServiceError> {
    migrate(&config.database_url, &[MIGRATIONS]).await?;
    let (tasks, health) = (&runtime.tasks, Health::new());
    let ring = ring(&config.keys).await?;
    let database =
        Database::connect(&config.database_url, &DatabaseOptions::new(NAME), tasks).await?;
    database.keep_swept(config.timings.sweep);
    database.keep_watched(&health, config.timings.gauges);
    messages(&config, &database, &health, tasks)?;
    let redis = Redis::open(&config.redis_url)?;
    redis.keep_watched(&health, Need::Degrading, REDIS_WATCH, tasks);
    let wait = (config.wait_replicas > 0).then_some(Wait {
        replicas: config.wait_replicas,
        timeout: WAIT_MAX,
    });
    let rooms = Rooms::start(Parts {
        database: database.clone(),
        redis,
        functions: library(),
        wait,
        ring: ring.clone(),
        tasks: tasks.clone(),
    });
    let waiting = Waiting {
        rooms: rooms.clone(),
        database: database.clone(),
        ring: ring.clone(),
    };
    let watching = Watching::new(
        waiting.clone(),
        config.streams_max,
        runtime.shutdown.clone(),
    );
    let letters = dead_letters::service(database.clone());
    let managing = Managing { rooms, database };
    Server::new(runtime.tasks, health, runtime.telemetry)
        .service(QueueServiceServer::new(QueueApi { waiting, watching }))
        .service(RoomServiceServer::new(RoomApi { managing, ring }))
        .service(letters)
        .serve(&config.server, listeners, runtime.shutdown)
        .await?;
    Ok(())
}

/// The relay of the outbox, and the consumers.
fn messages(
    config: &Config,
    database: &Database,
    health: &Health,
    tasks: &Tasks,
) -> Result<(), ServiceError> {
    let events = Events::embedded()?;
    let (url, prefix) = (&config.amqp_url, &config.amqp_prefix);
    let reconnect = config.timings.amqp_reconnect;
    let broker = Broker::new(url, prefix, NAME, health, tasks, reconnect)?;
    let relay = RelayOptions {
        database: database.clone(),
        publisher: Publisher::start(&broker, events),
        events,
        service: NAME.to_owned(),
        owner: format!("{NAME}/{}", mesh::id::new()),
        timings: config.timings.clone(),
        faults: Faults::none(),
    };
    // Nobody waits for what rooms tell: the relay looks by itself.
    drop(Relay::start(relay, tasks));
    let consumers = ConsumerOptions {
        broker,
        database: database.clone(),
        events,
        timings: config.timings.clone(),
        faults: Faults::none(),
    };
    amqp::consume(consumers.clone(), SHOWS, Shows)?;
    amqp::consume(consumers, BOOKINGS, Bookings)?;
    Ok(())
}

async fn ring(path: &str) -> Result<KeyRing, ServiceError> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|source| ServiceError::KeysFile {
        path: path.to_owned(),
        source,
    })?;
    Ok(KeyRing::from_json(&text, clock::now())?)
}
