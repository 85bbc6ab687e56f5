//! What a line goes by.

use std::time::Duration;

/// Milliseconds since 1970 by the clock of Redis.
pub type Millis = i64;

/// Whether people may join and are admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// People join; nobody is admitted yet.
    Armed,
    /// People join and are admitted.
    Open,
    /// People join; nobody is admitted for now.
    Paused,
    /// Nobody joins; who is in line is admitted.
    Drain,
    /// Nobody joins, nobody is admitted; passes are renewed.
    Still,
    /// Nobody joins, nobody is admitted: entries get their places.
    Drawing,
    /// Nobody joins, nobody is admitted, no pass is renewed.
    Closed,
}

impl Mode {
    /// Its name in Redis.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Drain => "drain",
            Self::Still => "still",
            Self::Drawing => "drawing",
            Self::Closed => "closed",
        }
    }

    /// The mode of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [
            Self::Armed,
            Self::Open,
            Self::Paused,
            Self::Drain,
            Self::Still,
            Self::Drawing,
            Self::Closed,
        ]
        .into_iter()
        .find(|mode| mode.name() == name)
    }
}

/// What the line goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Counted up by every change; an older one changes nothing.
    pub version: u64,
    /// Mode.
    pub mode: Mode,
    /// Offers and passes at once.
    pub capacity: u32,
    /// Admissions a second.
    pub rate: u32,
    /// Admissions at once after a pause.
    pub burst: u32,
    /// How long an offer stands.
    pub offer: Duration,
    /// How long a pass is good.
    pub pass: Duration,
    /// Bound on the difference between the clock that dates a pass and one that checks it.
    pub skew: Duration,
    /// How long passes are renewed.
    pub session: Duration,
    /// How long a missed turn is kept.
    pub grace: Duration,
    /// Weights of general, presale, access and late.
    pub weights: [u32; 4],
}

/// How long people of a chunk may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Longest pause that anybody of the chunk is told.
    pub pause: Duration,
    /// Shortest period.
    pub least: Duration,
    /// Added to a pause: what a heartbeat may be late.
    pub slack: Duration,
    /// Longest pause that is ever told.
    pub pause_max: Duration,
}
