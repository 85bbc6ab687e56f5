//! What the layers learned about a call, for the handler.

use crate::identity::Caller;

/// Who sent this request. Nobody, when the layers did not run.
#[must_use]
pub fn caller<T>(request: &tonic::Request<T>) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default()
}
