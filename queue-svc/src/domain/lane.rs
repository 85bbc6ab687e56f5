//! Lanes, and places in them.

/// One of the lines of a room that people join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Everybody.
    General,
    /// With an invitation.
    Presale,
    /// For people whom a long wait keeps out; with an invitation.
    Access,
}

impl Lane {
    /// Every lane that people join.
    pub const ALL: [Self; 3] = [Self::General, Self::Presale, Self::Access];

    /// Its number in Redis, in tickets and in passes.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::General => 1,
            Self::Presale => 2,
            Self::Access => 3,
        }
    }

    /// The lane of a number.
    #[must_use]
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|lane| i64::from(lane.number()) == number)
    }
}

/// A numbered place: dense from 0 within a lane, issued once in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// Lane.
    pub lane: Lane,
    /// Number.
    pub seq: u64,
}

/// Numbers of a lane that may be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// First.
    pub first: u64,
    /// Behind the last.
    pub end: u64,
}
