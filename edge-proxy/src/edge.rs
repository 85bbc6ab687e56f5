//! Builds the two doors and serves them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use mesh::client::pool::Methods;
use mesh::descriptors::{self, BrokenDescriptors};
use mesh::health::Health;
use mesh::identity::{JwksError, PassVerifier, TokenVerifier};
use mesh::policy::{Policies, PolicyError};
use mesh::process::Runtime;
use mesh::server::{Listeners, ServerError};
use mesh::{admin, tasks::Tasks};
use prost_reflect::DescriptorPool;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::info;
use transcode::{BuildError, BuildErrors, ErrorWriter};

use crate::answer::{Body, whole};
use crate::body::Memory;
use crate::config::Config;
use crate::cors::Origins;
use crate::door::{Door, Shared};
use crate::page::{Page, PageError};
use crate::places::Places;
use crate::readiness;
use crate::table::{Contracts, Side, Table};
use crate::transport::{self, Handler};

/// Time for owned tasks after the last request.
const TASKS_MAX: Duration = Duration::from_secs(5);
/// What the admin listener answers itself; every other path is a method's.
const OPERATIONS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Why the door does not open.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// The file of the contracts cannot be read.
    #[error("the descriptors {0} cannot be read")]
    File(PathBuf, #[source] std::io::Error),
    /// The file is not a descriptor set.
    #[error("{0} is not an encoded FileDescriptorSet with its imports")]
    Malformed(PathBuf, #[source] prost_reflect::DescriptorError),
    /// A broken build.
    #[error(transparent)]
    Embedded(#[from] BrokenDescriptors),
    /// A routed package has no service in the contracts.
    #[error("the package {0} is routed and has no service in the descriptors")]
    UnknownPackage(String),
    /// A method without policy, or a wrong one.
    #[error("access is denied by default")]
    Policy(#[from] PolicyError),
    /// Annotations that cannot be served.
    #[error("the routes of the descriptors are wrong: {0}")]
    Annotations(#[from] BuildErrors),
    /// The contracts lack what errors are written with.
    #[error(transparent)]
    Errors(#[from] BuildError),
    /// No keys.
    #[error("the keys of access tokens cannot be read")]
    Jwks(#[from] JwksError),
    /// An address of a service is wrong.
    #[error("the address of a service is wrong")]
    Address(#[from] tonic::transport::Error),
    /// The folder of the page is none.
    #[error("the page cannot be served")]
    Page(#[from] PageError),
    /// A method has a path of the page.
    #[error("{0} is a path of the page and of a method")]
    PathTaken(String),
    /// The sockets cannot be bound.
    #[error(transparent)]
    Listen(#[from] ServerError),
}

/// A door in the making.
pub struct Edge {
    public: Door,
    admin: Door,
    config: Config,
    runtime: Runtime,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge")
            .field("routes", &self.config.routes)
            .finish_non_exhaustive()
    }
}

/// Binds the sockets and serves until the process is told to stop.
///
/// # Errors
/// [`EdgeError`] when the door cannot open.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), EdgeError> {
    let edge = Edge::build(config, runtime).await?;
    let listeners = Listeners::bind(&edge.config.server).await?;
    edge.serve(listeners).await;
    Ok(())
}

impl Edge {
    /// Reads contracts, policies and keys. Nothing is bound or called yet.
    ///
    /// # Errors
    /// [`EdgeError`] when one of them is wrong.
    pub async fn build(config: Config, runtime: Runtime) -> Result<Self, EdgeError> {
        let contracts = contracts(&config).await?;
        let shared = Arc::new(Shared {
            errors: ErrorWriter::new(&contracts.pool)?,
            verifier: TokenVerifier::start(config.server.tokens.clone(), &runtime.tasks).await?,
            passes: config
                .queue_jwks
                .clone()
                .map(|source| PassVerifier::start(source, &runtime.tasks)),
            requests: Semaphore::new(config.limits.requests),
            streams: Places::new(&config.limits),
            memory: Memory::new(&config.limits),
            limits: config.limits,
            stop: runtime.shutdown.clone(),
        });
        let page = match &config.page {
            Some(folder) => Some(Page::read(folder).await?),
            None => None,
        };
        let door = |side, page: Option<Page>| -> Result<Door, EdgeError> {
            let table = Table::build(&contracts, side)?;
            let taken = page
                .iter()
                .flat_map(Page::paths)
                .find(|path| table.has(path));
            if let Some(path) = taken {
                return Err(EdgeError::PathTaken(path));
            }
            Ok(Door {
                document: table.document(),
                table,
                page,
                shared: Arc::clone(&shared),
            })
        };
        Ok(Self {
            public: door(Side::Public, page)?,
            admin: door(Side::Admin, None)?,
            config,
            runtime,
        })
    }

    /// Serves until the process is told to stop, then drains. The admin listener answers until the end.
    pub async fn serve(self, listeners: Listeners) {
        let Runtime {
            tasks,
            telemetry,
            shutdown,
        } = self.runtime;
        let limits = self.config.limits;
        let health = Health::new();
        readiness::follow(&tasks, health.clone(), self.config.routes, limits.probe);
        info!(
            address = %listeners.address(),
            admin = %listeners.admin(),
            routes = self.public.table.len(),
            admin_routes = self.admin.table.len(),
            "serving on {}",
            listeners.address()
        );
        let (main, admin) = listeners.into_parts();
        let operations = admin::routes(health, telemetry, shutdown.clone());
        let operator = Arc::new(Operator {
            operations,
            door: self.admin,
        });
        let closed = CancellationToken::new();
        let operating =
            transport::serve(admin, operator, None, tasks.clone(), limits, closed.clone());
        let operating = tasks.spawn("admin listener", operating);
        let cors = self.config.cors_origins.map(Origins::layer);
        let public = Arc::new(self.public);
        transport::serve(main, public, cors, tasks.clone(), limits, shutdown).await;
        closed.cancel();
        let _ = operating.await; // a panic there is told by its task
        finish(&tasks).await;
    }
}

async fn finish(tasks: &Tasks) {
    let left = tasks.shutdown(TASKS_MAX).await;
    info!(left = ?left, "stopped");
}

impl Handler for Door {
    async fn answer(&self, from: SocketAddr, request: Request<Incoming>) -> Response<Body> {
        Self::answer(self, from, request).await
    }
}

/// The admin listener: probes, metrics and the methods of operators.
struct Operator {
    operations: Router,
    door: Door,
}

impl Handler for Operator {
    async fn answer(&self, from: SocketAddr, request: Request<Incoming>) -> Response<Body> {
        if !OPERATIONS.contains(&request.uri().path()) {
            return self.door.answer(from, request).await;
        }
        let Ok(response) = self
            .operations
            .clone()
            .oneshot(request.map(axum::body::Body::new))
            .await;
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(head, whole(body.to_bytes())),
            Err(_) => {
                let mut response = Response::new(whole(Bytes::new()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}

async fn contracts(config: &Config) -> Result<Contracts, EdgeError> {
    let pool = match &config.descriptors {
        None => descriptors::pool()?,
        Some(path) => {
            let bytes = tokio::fs::read(path).await;
            let bytes = bytes.map_err(|error| EdgeError::File(path.clone(), error))?;
            DescriptorPool::decode(bytes.as_slice())
                .map_err(|error| EdgeError::Malformed(path.clone(), error))?
        }
    };
    let mut services = Vec::new();
    let methods = Methods::of(&pool);
    let mut instances = HashMap::new();
    for (package, peers) in config.routes.iter() {
        let before = services.len();
        let own = pool
            .services()
            .filter(|service| service.parent_file().package_name() == package);
        services.extend(own.map(|service| service.full_name().to_owned()));
        if services.len() == before {
            return Err(EdgeError::UnknownPackage(package.to_owned()));
        }
        instances.insert(package.to_owned(), peers.pool(methods.clone())?);
    }
    let services: Vec<_> = services.iter().map(String::as_str).collect();
    let policies = Policies::of_services(&pool, &services)?;
    Ok(Contracts {
        pool,
        policies,
        peers: instances,
        address_factor: config.address_factor,
    })
}
