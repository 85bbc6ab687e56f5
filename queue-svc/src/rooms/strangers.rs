//! Shows without a room, for a moment: whoever asks for made-up shows does not ask Postgres each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// How long a new room may be told to be none.
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// Shows that are kept; when there are more, all are asked about anew.
const KEPT_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<HashMap<Uuid, Instant>>);

impl Strangers {
    pub(super) fn has(&self, show_id: Uuid) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&show_id)
            .is_some_and(|at| at.elapsed() < KNOWN_FOR)
    }

    pub(super) fn note(&self, show_id: Uuid) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(show_id, Instant::now());
    }

    /// There is one now.
    pub(super) fn forget(&self, show_id: Uuid) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&show_id);
    }
}
