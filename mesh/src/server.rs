//! The server of a service: one visible list of layers, health, reflection, and a drain with an end.
//!
//! The order of the layers is the document; see `layers`. tonic's own timeout would answer CANCELLED, so our deadline is a little
//! shorter; tonic's load shed is per connection, so the cap over the whole process is ours.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use http::Request;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;
use tracing::{info, warn};

use crate::admin;
use crate::config::Secret;
use crate::descriptors::{self, BrokenDescriptors};
use crate::health::Health;
use crate::identity::{JwksError, TokenVerifier};
use crate::policy::{Policies, PolicyError};
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;

mod access_log;
mod authorize;
mod caller;
mod catch_panic;
mod config;
mod context;
mod deadline;
mod listeners;
mod overload;
mod rate;
mod request_id;
mod request_size;

pub use config::{ServerConfig, read_mesh_token};
pub use context::caller;
pub use deadline::{grpc_timeout, parse as parse_timeout};
pub use listeners::Listeners;
pub use request_id::{REQUEST_ID, request_id};

/// Calls in work at once over all connections; each holds a few KiB and most wait for one of the pool's connections.
const CALLS_MAX: usize = 2_000;
/// Streams one connection may have open: a peer multiplexes all its calls over a few connections.
const STREAMS_PER_CONNECTION_MAX: u32 = 1_000;
/// A quiet connection is asked for life this often, and dropped when it does not answer within [`KEEPALIVE_TIMEOUT`].
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Time for the answer to a keepalive.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection older than this is told to go away, so that new instances get their share.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// Cancelled calls that may wait on one connection before h2 takes them for an attack (CVE-2023-44487); peers cancel in storms.
const PENDING_RESETS_MAX: usize = 2_000;
/// Time for calls in flight when the process stops. hyper alone would wait for idle clients for ever.
const DRAIN_MAX: Duration = Duration::from_secs(15);
/// Time for owned tasks after the last call.
const TASKS_MAX: Duration = Duration::from_secs(15);
/// How often grpc.health.v1 follows the checks.
const HEALTH_INTERVAL: Duration = Duration::from_millis(500);

/// Why a server did not start, or ended.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A method without policy, or a wrong one.
    #[error("access is denied by default")]
    Policy(#[from] PolicyError),
    /// The overlay cannot be used.
    #[error("the policy overlay {path} cannot be used: {problem}")]
    Overlay {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No keys.
    #[error("the keys of access tokens cannot be read")]
    Jwks(#[from] JwksError),
    /// A broken build.
    #[error(transparent)]
    Descriptors(#[from] BrokenDescriptors),
    /// Reflection could not be built.
    #[error("reflection cannot be served")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// An address cannot be bound, or the address file not written.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The address file cannot be written.
    #[error("the address file {0} cannot be written")]
    AddrFile(PathBuf, #[source] std::io::Error),
    /// The transport failed.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// A server in the making.
pub struct Server {
    routes: Routes,
    services: Vec<&'static str>,
    tasks: Tasks,
    health: Health,
    telemetry: Telemetry,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server without services yet.
    #[must_use]
    pub fn new(tasks: Tasks, health: Health, telemetry: Telemetry) -> Self {
        Self {
            routes: Routes::default(),
            services: Vec::new(),
            tasks,
            health,
            telemetry,
        }
    }

    /// Adds a generated service.
    #[must_use]
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Serves until `shutdown`, then drains: no new connections, calls in flight end, then owned tasks, each within a limit.
    pub async fn serve(
        self,
        config: &ServerConfig,
        listeners: Listeners,
        shutdown: CancellationToken,
    ) -> Result<(), ServerError> {
        let policies = load_policies(config, &self.services).await?;
        let verifier = TokenVerifier::start(config.tokens.clone(), &self.tasks).await?;
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let routes = with_reflection(self.routes.add_service(health_service), &self.services)?;
        let stack = Arc::new(Stack {
            policies,
            verifier,
            mesh_token: config.mesh_token.clone(),
            calls: overload::Calls::new(CALLS_MAX),
            rates: rate::Rates::default(),
        });
        let routes = layers(routes.prepare().into_axum_router(), &stack);

        follow_health(
            &self.tasks,
            reporter,
            self.health.clone(),
            self.services.clone(),
        );
        let address = listeners.address();
        let (main, admin) = listeners.into_parts();
        let closed = CancellationToken::new();
        let admin_routes = admin::routes(self.health, self.telemetry, shutdown.clone());
        let admin = admin::serve(admin, admin_routes, closed.clone());
        let admin = self.tasks.spawn("admin listener", admin);
        info!(%address, services = ?self.services, "serving on {address}");
        let outcome = transport(routes, main, shutdown).await;
        let left = self.tasks.shutdown(TASKS_MAX);
        closed.cancel();
        let (_, left) = tokio::join!(admin, left);
        info!(left = ?left, "stopped");
        outcome
    }
}

/// The layers, outermost last because each wraps what stands above it. A request meets them from the bottom up.
fn layers(routes: Router, stack: &Arc<Stack>) -> Router {
    let state = || Arc::clone(stack);
    routes
        // Rate and size need the caller and the policy.
        .layer(from_fn_with_state(state(), request_size::layer))
        .layer(from_fn_with_state(state(), rate::layer))
        // Default deny: no policy, no call.
        .layer(from_fn_with_state(state(), authorize::layer))
        // Who is it: mesh identity, then bearer token.
        .layer(from_fn_with_state(state(), caller::layer))
        // Full means RESOURCE_EXHAUSTED, before any cryptography is spent.
        .layer(from_fn_with_state(state(), overload::layer))
        // Everything below shares the caller's time.
        .layer(from_fn_with_state(state(), deadline::layer))
        // Logs and counts whatever the layers below answered.
        .layer(axum::middleware::from_fn(access_log::layer))
        // The log line and the answer share an id and a trace.
        .layer(axum::middleware::from_fn(request_id::layer))
        // A panic is one failed call, not a dead process.
        .layer(axum::middleware::from_fn(catch_panic::layer))
}

/// What the layers share.
pub(crate) struct Stack {
    policies: Policies,
    verifier: TokenVerifier,
    mesh_token: Secret,
    calls: overload::Calls,
    rates: rate::Rates,
}

async fn transport(
    routes: Router,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let drained = shutdown.clone();
    let server = tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(PENDING_RESETS_MAX))
        .max_connection_age(CONNECTION_AGE_MAX)
        .add_routes(Routes::from(routes))
        .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
    tokio::select! {
        outcome = server => Ok(outcome?),
        () = async { drained.cancelled().await; tokio::time::sleep(DRAIN_MAX).await } => {
            warn!("calls in flight did not end within {DRAIN_MAX:?} and were cut");
            Ok(())
        }
    }
}

async fn load_policies(config: &ServerConfig, services: &[&str]) -> Result<Policies, ServerError> {
    let policies = Policies::of_services(&descriptors::pool()?, services)?;
    let Some(path) = &config.policy_overlay else {
        return Ok(policies);
    };
    let wrong = |problem: String| ServerError::Overlay {
        path: path.clone(),
        problem,
    };
    let text = tokio::fs::read(path)
        .await
        .map_err(|error| wrong(error.to_string()))?;
    let overlay = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(policies.overlay(&overlay)?)
}

/// Reflection names only what this process serves; grpcurl speaks v1alpha alone.
fn with_reflection(routes: Routes, services: &[&'static str]) -> Result<Routes, ServerError> {
    let builder = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services
            .iter()
            .fold(builder, |builder, name| builder.with_service_name(*name))
    };
    Ok(routes
        .add_service(builder().build_v1()?)
        .add_service(builder().build_v1alpha()?))
}

fn follow_health(
    tasks: &Tasks,
    reporter: HealthReporter,
    health: Health,
    services: Vec<&'static str>,
) {
    tasks.keep_running("health", move |stop| {
        let (reporter, health, services) = (reporter.clone(), health.clone(), services.clone());
        async move {
            loop {
                let serving = health.is_ready() && !stop.is_cancelled();
                let status = if serving {
                    ServingStatus::Serving
                } else {
                    ServingStatus::NotServing
                };
                for service in services.iter().copied().chain([""]) {
                    reporter.set_service_status(service, status).await;
                }
                tokio::select! {
                    () = stop.cancelled(), if !stop.is_cancelled() => {}
                    () = tokio::time::sleep(HEALTH_INTERVAL) => {}
                }
                if stop.is_cancelled() && !serving {
                    return;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests;
