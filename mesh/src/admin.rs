//! The admin listener: /livez, /readyz and /metrics over plain HTTP, for probes and scrapers inside the network.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::telemetry::Telemetry;

#[derive(Clone, Debug)]
struct Admin {
    health: Health,
    telemetry: Telemetry,
    stop: CancellationToken,
}

/// The routes; a process may add its own beside them.
pub fn routes(health: Health, telemetry: Telemetry, stop: CancellationToken) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route(
            "/metrics",
            get(|State(admin): State<Admin>| async move { admin.telemetry.render() }),
        )
        .with_state(Admin {
            health,
            telemetry,
            stop,
        })
}

/// Serves `routes` until `closed`; probes are answered while the process drains.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    closed: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, routes)
        .with_graceful_shutdown(closed.cancelled_owned())
        .await
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let draining = admin.stop.is_cancelled();
    let ready = admin.health.is_ready() && !draining;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({"ready": ready, "draining": draining, "checks": admin.health.report()});
    (status, axum::Json(body)).into_response()
}
