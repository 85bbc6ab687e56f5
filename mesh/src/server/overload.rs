//! A cap on the calls in work over all connections. What does not fit is refused at once, with a time to come back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;
use tonic::Status;

use super::Stack;
use crate::random;
use crate::status::OVERLOADED;

/// Shortest time to come back; the same again is added at random, so that refused callers spread out.
const RETRY: Duration = Duration::from_millis(500);

pub(crate) struct Calls(Semaphore);

impl Calls {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Semaphore::new(limit))
    }
}

pub(super) async fn layer(
    State(stack): State<Arc<Stack>>,
    request: Request,
    next: Next,
) -> Response {
    // Probes say that the process is alive, also when it is full.
    if request.uri().path().starts_with("/grpc.health.v1.Health/") {
        return next.run(request).await;
    }
    let Ok(_permit) = stack.calls.0.try_acquire() else {
        metrics::counter!("usher_rpc_shed_total").increment(1);
        let refusal = OVERLOADED.refuse("too many calls at once");
        return Status::from(refusal.retry_after(RETRY + random::jitter(RETRY))).into_http();
    };
    next.run(request).await
}
