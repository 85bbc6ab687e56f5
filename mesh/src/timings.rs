//! Every timer, ladder, sweep and lease in one place, with its documented value.
//!
//! `USHER_TIMINGS=test` makes ladders, sweeps and polls 100 times shorter and leases 2 s, so that a test sees minutes pass in seconds. What
//! bounds a single wait (locks, pools, RPCs, heartbeats) is no timer and stays the same: a shorter one would only fail on a busy machine.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// How much shorter ladders and sweeps are in tests.
const TEST_FACTOR: u32 = 100;
/// No pause of a test is shorter: a tight loop against a server that is away helps nobody.
const TEST_FLOOR: Duration = Duration::from_millis(10);

/// A waiting time that doubles from `base` up to `cap`, half of it random ([`crate::random::backoff`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// First wait.
    pub base: Duration,
    /// Longest wait.
    pub cap: Duration,
}

impl Ladder {
    /// Wait before attempt `attempt`, from 0.
    #[must_use]
    pub fn wait(&self, attempt: u32) -> Duration {
        crate::random::backoff(attempt, self.base, self.cap)
    }

    fn shorter(self) -> Self {
        Self {
            base: shorter(self.base),
            cap: shorter(self.cap),
        }
    }
}

/// The timers of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// The relay looks for rows this soon after it had some.
    pub outbox_poll_busy: Duration,
    /// The relay looks for rows this often when there are none and nobody wakes it.
    pub outbox_poll_idle: Duration,
    /// How long a relay owns a part without renewing it; after a crash the part rests for so long.
    pub outbox_lease: Duration,
    /// Pauses of the relay when the database or the broker fails, and of a row that the broker returned or refused.
    pub outbox_retry: Ladder,
    /// Pauses between two attempts to connect to the broker.
    pub amqp_reconnect: Ladder,
    /// Pauses between two attempts to handle a message whose handling failed for now.
    pub message_retry: Ladder,
    /// How often due messages are looked for.
    pub message_retry_poll: Duration,
    /// How often rows past their time are removed.
    pub sweep: Duration,
    /// How often gauges that need a query are read.
    pub gauges: Duration,
}

impl Timings {
    /// The documented values.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            outbox_poll_busy: Duration::from_millis(100),
            outbox_poll_idle: Duration::from_secs(1),
            outbox_lease: Duration::from_secs(15),
            outbox_retry: Ladder {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
            },
            amqp_reconnect: Ladder {
                base: Duration::from_millis(200),
                cap: Duration::from_secs(15),
            },
            message_retry: Ladder {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(300),
            },
            message_retry_poll: Duration::from_secs(1),
            sweep: Duration::from_secs(60),
            gauges: Duration::from_secs(10),
        }
    }

    /// Ladders, sweeps and polls 100 times shorter, leases 2 s.
    #[must_use]
    pub fn test() -> Self {
        let standard = Self::standard();
        Self {
            outbox_poll_busy: shorter(standard.outbox_poll_busy),
            outbox_poll_idle: shorter(standard.outbox_poll_idle),
            outbox_lease: Duration::from_secs(2),
            outbox_retry: standard.outbox_retry.shorter(),
            amqp_reconnect: standard.amqp_reconnect.shorter(),
            message_retry: standard.message_retry.shorter(),
            message_retry_poll: shorter(standard.message_retry_poll),
            sweep: shorter(standard.sweep),
            gauges: shorter(standard.gauges),
        }
    }
}

fn shorter(standard: Duration) -> Duration {
    (standard / TEST_FACTOR).max(TEST_FLOOR)
}

/// A preset that does not exist.
#[derive(Clone, Copy, Debug, Error)]
#[error("is neither standard nor test")]
pub struct NoSuchPreset;

impl FromStr for Timings {
    type Err = NoSuchPreset;

    fn from_str(name: &str) -> Result<Self, NoSuchPreset> {
        match name {
            "standard" => Ok(Self::standard()),
            "test" => Ok(Self::test()),
            _ => Err(NoSuchPreset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preset_is_chosen_by_name() {
        assert_eq!(
            "standard".parse::<Timings>().ok(),
            Some(Timings::standard())
        );
        assert_eq!("test".parse::<Timings>().ok(), Some(Timings::test()));
        assert!("Test".parse::<Timings>().is_err());
    }

    #[test]
    fn no_test_timer_is_a_tight_loop() {
        let test = Timings::test();
        assert_eq!(test.message_retry.cap, Duration::from_secs(3));
        assert_eq!(test.amqp_reconnect.base, TEST_FLOOR);
        assert_eq!(test.outbox_lease, Duration::from_secs(2));
    }
}
