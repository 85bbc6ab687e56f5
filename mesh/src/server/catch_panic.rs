use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tonic::Status;
use tracing::error;

use crate::status::INTERNAL;

/// Turns a panic in a handler into INTERNAL and a metric.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            metrics::counter!("usher_panics_total").increment(1);
            error!(method = path, "{path} panicked");
            Status::from(INTERNAL.refuse("internal error")).into_http()
        }
    }
}
