use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tonic::Status;

use super::Stack;
use crate::identity::Caller;
use crate::policy::Policy;

/// The policy of the call, for the layers below.
#[derive(Clone)]
pub(super) struct Applied(pub(super) Arc<Policy>);

/// Default deny: a path without a policy is answered as if nothing served it.
pub(super) async fn layer(
    State(stack): State<Arc<Stack>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(policy) = stack.policies.get(request.uri().path()) else {
        return Status::unimplemented("no such method").into_http();
    };
    let caller = request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default();
    if let Err(refusal) = policy.admit(caller.standing()) {
        return Status::from(refusal).into_http();
    }
    request.extensions_mut().insert(Applied(policy));
    next.run(request).await
}
