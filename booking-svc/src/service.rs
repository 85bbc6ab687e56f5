//! How the parts become a process.

use std::path::PathBuf;
use std::sync::Arc;

use mesh::amqp::{self, Broker, BrokerError, ConsumerOptions, NoSuchQueue, Publisher};
use mesh::client::{self, ClientError};
use mesh::events::{Events, EventsError};
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::outbox::{Relay, RelayOptions, Waker};
use mesh::pg::{self, ConnectError, Database, DatabaseOptions, MigrateError};
use mesh::process::{Program, Runtime};
use mesh::server::{Listeners, Server, ServerError};
use mesh::tasks::Tasks;
use mesh::{config as mesh_config, dead_letters, id};
use proto::usher::booking::v1::booking_service_server::BookingServiceServer;
use proto::usher::booking::v1::inventory_service_server::InventoryServiceServer;
use proto::usher::booking::v1::saga_admin_service_server::SagaAdminServiceServer;
use proto::usher::booking::v1::ticket_service_server::TicketServiceServer;
use thiserror::Error;
use tracing::info;

use crate::app::catalogue::Catalogue;
use crate::app::inventory::{Inventory, InventoryOptions, sweep};
use crate::clients::{Coupons, Payments};
use crate::config::{Config, VARIABLES};
use crate::consumer::{PAYMENTS, PaymentNews, TICKET_COMMANDS, TICKETS, Tickets};
use crate::domain::ticket::keys::KeyRing;
use crate::grpc::{BookingApi, CatalogApi, InventoryApi, Passes, SagaAdminApi, TicketApi};
use crate::saga::{Parts, Sagas};
use crate::store::MIGRATIONS;
use crate::store::inventory::PoolLock;

/// Name of the service: in logs, leases, events and mesh identity.
const NAME: &str = "booking-svc";
/// Connections for background work: the batcher, the saga runner's steps, the relay, three consumers and the sweepers.
const BACKGROUND_CONNECTIONS: u32 = 12;

/// What `--help` says.
pub const PROGRAM: Program = Program {
    name: NAME,
    about: "catalogue, inventory and holds, bookings and their saga, tickets",
    variables: &[mesh_config::VARIABLES, VARIABLES],
};

/// Why the service did not start, or ended.
#[derive(Debug, Error)]
pub enum StartError {
    /// The keys of tickets.
    #[error("the ticket keys {path} cannot be used: {problem}")]
    TicketKeys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The tables.
    #[error("the database cannot be migrated")]
    Migrate(#[from] MigrateError),
    /// The database.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The contracts.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The broker's address.
    #[error("the broker cannot be used")]
    Broker(#[from] BrokerError),
    /// A queue without contract.
    #[error(transparent)]
    Queue(#[from] NoSuchQueue),
    /// A peer's address.
    #[error("a peer cannot be called")]
    Peer(#[from] ClientError),
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Serves until `runtime` is told to stop.
pub async fn serve(config: Config, runtime: Runtime) -> Result<(), StartError> {
    serve_with(config, runtime, Faults::none()).await
}

/// The same; tests halt it at fault points: those of [`crate::saga::moments`], of the relay and of the consumers.
pub async fn serve_with(
    config: Config,
    runtime: Runtime,
    faults: Faults,
) -> Result<(), StartError> {
    let keys = Arc::new(ticket_keys(&config).await?);
    let listeners = Listeners::bind(&config.server).await?;
    pg::migrate(&config.database_url, &[MIGRATIONS]).await?;
    let (tasks, health) = (runtime.tasks.clone(), Health::new());
    let options = DatabaseOptions {
        background_pool_size: BACKGROUND_CONNECTIONS,
        ..DatabaseOptions::new(NAME)
    };
    let database = Database::connect(&config.database_url, &options, &tasks).await?;
    database.keep_watched(&health, config.timings.gauges);
    database.keep_swept(config.timings.sweep);

    let owner = format!("{NAME}/{}", id::new());
    info!(owner, "leases are taken as {owner}");
    let (outbox, consumers) = messages(&config, &database, &health, &tasks, &owner, &faults)?;

    let inventory_options = InventoryOptions {
        pool_lock: PoolLock::On,
        ttl_divisor: config.book.hold_divisor,
    };
    let inventory = Inventory::start(&database, &tasks, inventory_options);
    let (sweeping, swept, interval) = (inventory.clone(), database.clone(), config.book.sweep);
    tasks.keep_running("hold sweep", move |stop| {
        sweep(sweeping.clone(), swept.clone(), interval, stop)
    });
    let token = &config.server.mesh_token;
    let payments = Payments::new(client::peer(NAME, &config.payment, token)?);
    let coupons = Coupons::new(client::peer(NAME, &config.coupon, token)?);
    let sagas = Sagas::start(Parts {
        database: database.clone(),
        inventory: inventory.clone(),
        payments,
        coupons,
        outbox,
        timings: config.book,
        owner,
        tasks: tasks.clone(),
        faults,
    });
    consume(&consumers, &sagas, &keys)?;

    let catalogue = Catalogue::new(database.clone());
    let passes = Passes::start(config.queue_jwks, &tasks);
    let catalog = CatalogApi::new(catalogue.clone(), passes.clone()).into_server();
    let inventory = InventoryApi {
        catalogue,
        inventory,
        database: database.clone(),
        passes,
    };
    let saga_admin = SagaAdminApi {
        sagas: sagas.clone(),
        database: database.clone(),
    };
    let bookings = BookingApi {
        sagas,
        database: database.clone(),
        stopping: runtime.shutdown.clone(),
    };
    Server::new(tasks, health, runtime.telemetry)
        .service(catalog)
        .service(InventoryServiceServer::new(inventory))
        .service(BookingServiceServer::new(bookings))
        .service(SagaAdminServiceServer::new(saga_admin))
        .service(dead_letters::service(database.clone()))
        .service(TicketServiceServer::new(TicketApi { database, keys }))
        .serve(&config.server, listeners, runtime.shutdown)
        .await?;
    Ok(())
}

/// The relay of the outbox, and what consumers work with.
fn messages(
    config: &Config,
    database: &Database,
    health: &Health,
    tasks: &Tasks,
    owner: &str,
    faults: &Faults,
) -> Result<(Waker, ConsumerOptions), StartError> {
    let events = Events::embedded()?;
    let (url, prefix) = (&config.amqp_url, &config.amqp_prefix);
    let reconnect = config.timings.amqp_reconnect;
    let broker = Broker::new(url, prefix, NAME, health, tasks, reconnect)?;
    let publisher = Publisher::start(&broker, events);
    let relay = RelayOptions {
        database: database.clone(),
        publisher,
        events,
        service: NAME.to_owned(),
        owner: owner.to_owned(),
        timings: config.timings.clone(),
        faults: faults.clone(),
    };
    let outbox = Relay::start(relay, tasks);
    let consumers = ConsumerOptions {
        broker,
        database: database.clone(),
        events,
        timings: config.timings.clone(),
        faults: faults.clone(),
    };
    Ok((outbox, consumers))
}

fn consume(
    options: &ConsumerOptions,
    sagas: &Sagas,
    keys: &Arc<KeyRing>,
) -> Result<(), NoSuchQueue> {
    let tickets = || Tickets {
        sagas: sagas.clone(),
        keys: Arc::clone(keys),
    };
    amqp::consume(
        options.clone(),
        PAYMENTS,
        PaymentNews {
            sagas: sagas.clone(),
        },
    )?;
    amqp::consume(options.clone(), TICKETS, tickets())?;
    amqp::consume(options.clone(), TICKET_COMMANDS, tickets())
}

async fn ticket_keys(config: &Config) -> Result<KeyRing, StartError> {
    let path = config.ticket_keys.clone();
    let text = tokio::fs::read_to_string(&path).await;
    let wrong = |problem: String| StartError::TicketKeys {
        path: path.clone(),
        problem,
    };
    let text = text.map_err(|error| wrong(error.to_string()))?;
    KeyRing::from_json(&text).map_err(|findings| {
        let problems = findings.list().iter();
        let problems = problems.map(|found| format!("{} {}", found.field, found.problem));
        wrong(problems.collect::<Vec<_>>().join("; "))
    })
}
