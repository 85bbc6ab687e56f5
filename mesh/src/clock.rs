//! The seam for time. Decisions take `now` as an argument; what takes a lock takes the database's clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// The wall clock, for logs, tokens and schedules. A decision about stored state uses the database's clock instead.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Measures elapsed time on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
