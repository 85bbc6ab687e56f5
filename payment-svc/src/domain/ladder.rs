//! When an unknown payment is asked about again, and how long silence has to last before it proves anything.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Rungs before the last: money is usually there within seconds, and a provider in trouble is not asked more often than needed.
const RUNGS: [Duration; 7] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
];
/// The last rung, climbed for ever: giving up would leave a buyer's money between two chairs.
const LAST: Duration = Duration::from_secs(600);
/// Longest time after which an answer to our own request may come: the client's read timeout.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long after its intent an attempt may still be sent: time for a few tries while connections are refused.
pub const SEND_WINDOW: Duration = Duration::from_secs(5);
/// A provider may finish a request this long after our side stopped listening.
const SETTLE: Duration = Duration::from_secs(60);
/// When a payment that ended without money is asked about once more, from its last send: providers have been seen to finish a charge
/// minutes and hours later, and nobody else would find that money.
const LOOK_BACK: [Duration; 3] = [
    Duration::from_secs(600),
    Duration::from_secs(3_600),
    Duration::from_secs(24 * 3_600),
];
/// From then on nobody looks back any more, answered or not: providers keep their books open for less.
const LOOK_BACK_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Reads that have to agree that there is no money.
pub(super) const ABSENT_READS: u32 = 2;

/// The waiting times of inquiries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    divisor: u32,
}

/// A place on the ladder.
pub type Rungs = u32;

impl Default for Ladder {
    fn default() -> Self {
        Self { divisor: 1 }
    }
}

impl Ladder {
    /// The same ladder with every time `divisor` times shorter, for tests. Zero counts as one.
    #[must_use]
    pub fn shortened(divisor: u32) -> Self {
        Self {
            divisor: divisor.max(1),
        }
    }

    /// When to ask again after `checks` inquiries.
    #[must_use]
    pub fn next(&self, checks: Rungs, now: DateTime<Utc>) -> DateTime<Utc> {
        let rung = usize::try_from(checks)
            .ok()
            .and_then(|index| RUNGS.get(index))
            .unwrap_or(&LAST);
        now + self.short(*rung)
    }

    /// When somebody has to look after a charge whose own task never reported: its process died.
    #[must_use]
    pub fn overdue(&self, sent: DateTime<Utc>) -> DateTime<Utc> {
        sent + self.short(SEND_WINDOW + READ_TIMEOUT + RUNGS[0])
    }

    /// Latest time at which an attempt that is committed at `now` is sent.
    #[must_use]
    pub fn last_send(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.short(SEND_WINDOW)
    }

    /// From when on a read without money counts as proof of absence.
    #[must_use]
    pub fn conclusive(&self, last_send: DateTime<Utc>) -> DateTime<Utc> {
        last_send + self.short(READ_TIMEOUT + SETTLE)
    }

    /// When to look once more for money of a payment that ended without any; `None`: no more.
    #[must_use]
    pub fn look_back(&self, last_send: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let times = LOOK_BACK.iter().map(|after| last_send + self.short(*after));
        times.into_iter().find(|time| *time > now)
    }

    /// When to ask again for something that can wait.
    #[must_use]
    pub fn slowest(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.short(LAST)
    }

    /// Whether it is too late to look back at what was sent then.
    #[must_use]
    pub fn is_forgotten(&self, last_send: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        now >= last_send + self.short(LOOK_BACK_MAX)
    }

    fn short(&self, time: Duration) -> Duration {
        time / self.divisor
    }
}
