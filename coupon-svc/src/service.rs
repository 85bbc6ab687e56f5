//! Puts the parts together and serves.

use std::time::Duration;

use mesh::amqp::{Broker, BrokerError, ConsumerOptions, NoSuchQueue, Publisher, consume};
use mesh::dead_letters;
use mesh::events::{Events, EventsError};
use mesh::faults::Faults;
use mesh::health::{Health, Need};
use mesh::outbox::{Relay, RelayOptions, Waker};
use mesh::pg::{ConnectError, Database, DatabaseOptions, MigrateError, migrate};
use mesh::process::Runtime;
use mesh::redis::{OpenError, Redis};
use mesh::server::{Listeners, Server, ServerError};
use mesh::tasks::Tasks;
use proto::usher::coupon::v1::campaign_service_server::CampaignServiceServer;
use proto::usher::coupon::v1::claim_queue_service_server::ClaimQueueServiceServer;
use proto::usher::coupon::v1::code_service_server::CodeServiceServer;
use proto::usher::coupon::v1::coupon_service_server::CouponServiceServer;
use proto::usher::coupon::v1::grant_service_server::GrantServiceServer;
use proto::usher::coupon::v1::issued_coupon_service_server::IssuedCouponServiceServer;
use proto::usher::coupon::v1::reservation_service_server::ReservationServiceServer;
use thiserror::Error;

use crate::app::claim_queue::ClaimQueue;
use crate::app::claims::Claims;
use crate::app::codes::Codes;
use crate::app::codes::redeem::{FLOOR, Redeeming};
use crate::app::desk::Desk;
use crate::app::expiry;
use crate::app::grants::{Grants, work};
use crate::app::manage::Managing;
use crate::app::reservations;
use crate::config::Config;
use crate::consumer::claims::{CLAIMS, QueuedClaims};
use crate::consumer::{COMMANDS, Commands};
use crate::gate;
use crate::grpc::campaign::CampaignApi;
use crate::grpc::claim_queue::ClaimQueueApi;
use crate::grpc::code::CodeApi;
use crate::grpc::coupon::CouponApi;
use crate::grpc::grant::GrantApi;
use crate::grpc::issued::IssuedCouponApi;
use crate::grpc::reservation::ReservationApi;
use crate::guesses::{Guesses, LIMITS};
use crate::store::MIGRATIONS;
use crate::store::claim_batches::SWEEPS;

/// Name among peers.
pub const NAME: &str = "coupon-svc";

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
    /// The contracts.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The broker's address.
    #[error("the broker cannot be used")]
    Broker(#[from] BrokerError),
    /// A queue without contract.
    #[error("the commands cannot be consumed")]
    Queue(#[from] NoSuchQueue),
    /// The server.
    #[error("the server ended")]
    Server(#[from] ServerError),
}

/// Migrates, connects, and serves until the shutdown of `runtime`.
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
    let database =
        Database::connect(&config.database_url, &DatabaseOptions::new(NAME), tasks).await?;
    database.keep_swept(config.timings.sweep);
    database.keep_swept_of("sweep of claims", &SWEEPS, config.timings.sweep);
    database.keep_watched(&health, config.timings.gauges);
    let (outbox, consumers) = messages(&config, &database, &health, tasks)?;
    let commands = Commands {
        outbox: outbox.clone(),
    };
    consume(consumers.clone(), COMMANDS, commands)?;
    expiry::keep(&database, &outbox, tasks);
    reservations::keep_watched(&database, tasks);
    let redis = Redis::open(&config.redis_url)?;
    redis.keep_watched(&health, Need::Degrading, REDIS_WATCH, tasks);
    let grants = GrantApi {
        grants: Grants {
            database: database.clone(),
            bell: work::start(&database, &outbox, tasks),
        },
    };
    let codes = codes(&config, &database, &redis, &outbox);
    let desk = Desk::start(&database, redis, gate::library(), tasks);
    let queued = QueuedClaims::new(outbox.clone(), desk.clone());
    consume(consumers, CLAIMS, queued)?;
    let queue = ClaimQueue {
        database: database.clone(),
        outbox: outbox.clone(),
    };
    let claims = Claims::start(desk.clone(), &database, tasks);
    let letters = dead_letters::service(database.clone());
    let coupons = CouponApi {
        claims,
        database: database.clone(),
    };
    let reservations = ReservationApi {
        database: database.clone(),
    };
    let issued = IssuedCouponApi {
        database: database.clone(),
    };
    let managing = Managing { database, desk };
    Server::new(runtime.tasks, health, runtime.telemetry)
        .service(CampaignServiceServer::new(CampaignApi { managing }))
        .service(CodeServiceServer::new(codes))
        .service(CouponServiceServer::new(coupons))
        .service(GrantServiceServer::new(grants))
        .service(ClaimQueueServiceServer::new(ClaimQueueApi { queue }))
        .service(IssuedCouponServiceServer::new(issued))
        .service(ReservationServiceServer::new(reservations))
        .service(letters)
        .serve(&config.server, listeners, runtime.shutdown)
        .await?;
    Ok(())
}

/// What is done with codes.
fn codes(config: &Config, database: &Database, redis: &Redis, outbox: &Waker) -> CodeApi {
    let key = config.code_key.clone();
    let guesses = Guesses::new(redis.clone(), &key.name(), LIMITS);
    CodeApi {
        redeeming: Redeeming {
            database: database.clone(),
            key: key.clone(),
            guesses: guesses.clone(),
            outbox: Some(outbox.clone()),
            floor: FLOOR,
        },
        codes: Codes {
            database: database.clone(),
            key,
            guesses,
        },
    }
}

/// The relay of the outbox, and what consumers work with.
fn messages(
    config: &Config,
    database: &Database,
    health: &Health,
    tasks: &Tasks,
) -> Result<(Waker, ConsumerOptions), ServiceError> {
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
    let outbox = Relay::start(relay, tasks);
    let consumers = ConsumerOptions {
        broker,
        database: database.clone(),
        events,
        timings: config.timings.clone(),
        faults: Faults::none(),
    };
    Ok((outbox, consumers))
}
