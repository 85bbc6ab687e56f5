//! The seam for time. Decisions take `now` as an argument; what takes a lock takes the database's clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

/// The wall clock, for logs, tokens and schedules. A decision about stored state uses the database's clock instead.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A time on the wire.
#[must_use]
pub fn to_timestamp(time: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp {
        seconds: time.timestamp(),
        nanos,
    }
}

/// A time from the wire; `None` when it is out of range.
#[must_use]
pub fn from_timestamp(time: &Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
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
