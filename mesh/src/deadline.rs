//! The time that the caller of the present task has left: set by the server for each call, told to peers by [`crate::client`].
//!
//! Owned tasks do not inherit it: what they write has to end although nobody waits any more.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static END: Instant;
}

/// What is left of the present caller's time; `None` when nobody waits.
#[must_use]
pub fn left() -> Option<Duration> {
    let end = END.try_with(|end| *end).ok()?;
    Some(end.saturating_duration_since(Instant::now()))
}

/// Runs `work` for a caller who waits until `end`.
pub async fn within<F: Future>(end: Instant, work: F) -> F::Output {
    END.scope(end, work).await
}
