//! What the layers learned about a call, for the handler.

use std::time::Duration;

use tokio::time::Instant;

use crate::identity::Caller;

/// When the answer has to be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// Time that is left.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Who sent this request. Nobody, when the layers did not run.
#[must_use]
pub fn caller<T>(request: &tonic::Request<T>) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default()
}

/// When this request has to be answered.
#[must_use]
pub fn deadline<T>(request: &tonic::Request<T>) -> Option<Deadline> {
    request.extensions().get::<Deadline>().copied()
}
