//! Puts the parts together and serves.

use std::sync::Arc;

use mesh::amqp::{Broker, BrokerError, ConsumerOptions, NoSuchQueue, Publisher, consume};
use mesh::dead_letters;
use mesh::events::{Events, EventsError};
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::outbox::{Relay, RelayOptions};
use mesh::pg::{ConnectError, Database, DatabaseOptions, MigrateError, migrate};
use mesh::process::Runtime;
use mesh::server::{Listeners, Server, ServerError};
use proto::usher::payment::v1::payment_service_server::PaymentServiceServer;
use thiserror::Error;

use crate::app::{App, Parts};
use crate::config::Config;
use crate::consumer::{Commands, QUEUE};
use crate::grpc::Payments;
use crate::provider::toss::Toss;
use crate::provider::{HttpLimits, HttpSetupError, Provider, Providers};
use crate::store::MIGRATIONS;

/// Name among peers, in leases and in events.
pub const NAME: &str = "payment-svc";

/// Why the service did not start, or ended.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The database is not up to date.
    #[error("the database cannot be migrated")]
    Migrate(#[from] MigrateError),
    /// No database.
    #[error("the database cannot be opened")]
    Database(#[from] ConnectError),
    /// No broker.
    #[error("the broker cannot be used")]
    Broker(#[from] BrokerError),
    /// Broken contracts.
    #[error("the event options cannot be used")]
    Events(#[from] EventsError),
    /// Broken contracts.
    #[error("the commands cannot be consumed")]
    Queue(#[from] NoSuchQueue),
    /// No client.
    #[error("the provider cannot be called")]
    Provider(#[from] HttpSetupError),
    /// The server.
    #[error("the server ended")]
    Server(#[from] ServerError),
}

/// Migrates, connects, starts what runs in the background, and serves until the shutdown of `runtime`.
pub async fn serve(config: Config, runtime: Runtime) -> Result<(), ServiceError> {
    let listeners = Listeners::bind(&config.server).await?;
    serve_on(config, listeners, runtime, Faults::none()).await
}

/// The same on listeners that are bound already, passing `faults`.
pub async fn serve_on(
    config: Config,
    listeners: Listeners,
    runtime: Runtime,
    faults: Faults,
) -> Result<(), ServiceError> {
    migrate(&config.database_url, &[MIGRATIONS]).await?;
    let health = Health::new();
    let app = build(&config, &runtime, &health, faults).await?;
    app.start_sweepers();
    Server::new(runtime.tasks, health, runtime.telemetry)
        .service(dead_letters::service(app.database.clone()))
        .service(PaymentServiceServer::new(Payments::new(app)))
        .serve(&config.server, listeners, runtime.shutdown)
        .await?;
    Ok(())
}

async fn build(
    config: &Config,
    runtime: &Runtime,
    health: &Health,
    faults: Faults,
) -> Result<App, ServiceError> {
    let (tasks, timings) = (&runtime.tasks, &config.timings);
    let owner = format!("{NAME} {}", mesh::id::new());
    let database =
        Database::connect(&config.database_url, &DatabaseOptions::new(NAME), tasks).await?;
    database.keep_swept(timings.mesh.sweep);
    database.keep_watched(health, timings.mesh.gauges);
    let events = Events::embedded()?;
    let broker = Broker::new(
        &config.amqp_url,
        &config.amqp_prefix,
        NAME,
        health,
        tasks,
        timings.mesh.amqp_reconnect,
    )?;
    let publisher = Publisher::start(&broker, events);
    let relay = RelayOptions {
        database: database.clone(),
        publisher,
        events,
        service: NAME.to_owned(),
        owner: owner.clone(),
        timings: timings.mesh.clone(),
        faults: faults.clone(),
    };
    let outbox = Relay::start(relay, tasks);
    let toss: Arc<dyn Provider> = Arc::new(Toss::new(
        config.toss_url.clone(),
        config.toss_secret.clone(),
        HttpLimits::default(),
    )?);
    let parts = Parts {
        database: database.clone(),
        providers: Providers::new([toss]),
        timings: timings.clone(),
        tasks: tasks.clone(),
        owner,
        faults: faults.clone(),
        outbox,
    };
    let app = App::new(parts);
    let options = ConsumerOptions {
        broker,
        database,
        events,
        timings: timings.mesh.clone(),
        faults,
    };
    consume(options, QUEUE, Commands::new(app.clone()))?;
    Ok(app)
}
