//! What people in line are told, and refused with.

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::pg::TxError;
use mesh::status::chain;
use thiserror::Error;
use tracing::warn;

use crate::credentials::KeysError;
use crate::credentials::pass::PassError;
use crate::credentials::ticket::TicketError;
use crate::domain::lane::Spot;
use crate::rooms::JoinError;

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where they stand.
    pub place: Place,
    /// Lane and number, of whoever has one.
    pub spot: Option<Spot>,
    /// New ticket.
    pub ticket: Option<String>,
    /// People who wait and are there.
    pub live: u64,
    /// Ask again then.
    pub poll_after: Duration,
    /// Admission was stopped for now.
    pub paused: bool,
    /// When admission starts.
    pub open_time: Option<DateTime<Utc>>,
    /// Admissions a second that the room allows.
    pub rate: u32,
    /// Grades of which nothing is left.
    pub sold_out_grades: Vec<String>,
}

/// Where somebody stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In line.
    Waiting {
        /// From 1; 0: joined this moment, the next poll tells.
        position: u64,
        /// Whether in the late line.
        late: bool,
        /// Waits that half and nine of ten keep below.
        wait: Option<(Duration, Duration)>,
        /// Whether they wait for something.
        outlook: Outlook,
    },
    /// In the draw: the order is decided when the room opens.
    Entered {
        /// Number of the entry, from 1.
        entry: u64,
    },
    /// It is their turn.
    Offered {
        /// Until then.
        until: DateTime<Utc>,
    },
    /// Inside.
    Admitted {
        /// The pass.
        pass: String,
        /// Its end.
        pass_ends: DateTime<Utc>,
        /// End of the session.
        session_ends: DateTime<Utc>,
    },
    /// Not in line any more.
    Ended,
    /// Not yet in line.
    NotYetOpen,
    /// The room takes nobody.
    Closed,
    /// No place: everything is sold.
    SoldOut,
    /// No place: every grade that was wanted is sold.
    GradesSoldOut,
    /// No place: far more people wait than there is left for.
    Overloaded,
    /// A newer stream watches.
    TakenOver,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// What is left, as far as anybody knows.
    Open,
    /// What is left serves fewer than stand in front.
    Unlikely,
    /// What is returned: everything is sold.
    SoldOut,
}

/// Why somebody was refused. Nothing was changed.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No such room.
    #[error("this show has no waiting room")]
    NoRoom,
    /// As many wait as the room takes.
    #[error("as many people wait as the room takes")]
    Full,
    /// Not a ticket of theirs.
    #[error("the ticket {0}")]
    Ticket(#[from] TicketError),
    /// Not a pass of theirs, or an old one.
    #[error("the pass {0}")]
    Pass(#[from] PassError),
    /// A ticket or pass of an older epoch.
    #[error("the line was begun anew; this ticket is void")]
    Reset,
    /// Nothing to claim.
    #[error("it is not this ticket's turn")]
    NoOffer,
    /// Grades that the show does not have, by their number in the request, and those that it has.
    #[error("the show has no such grade")]
    Grades(Vec<usize>, Vec<String>),
    /// No invitation of theirs.
    #[error("the invitation is unknown, or somebody else's")]
    Invitation,
    /// Too many watch.
    #[error("too many people watch; poll")]
    Crowded,
    /// This instance stops.
    #[error("this instance stops; watch again")]
    Stopping,
    /// The session is over.
    #[error("the session is over")]
    SessionOver,
    /// Closed for so long that nobody looks after it any more.
    #[error("the room was closed")]
    Over,
    /// Redis does not answer, or the room recovers. Places are kept; come back after this time.
    #[error("the line does not answer; places are kept")]
    Unavailable(Duration),
    /// Too many at once.
    #[error("too many people join at once")]
    Busy,
    /// No key.
    #[error("no key signs")]
    Keys,
}

/// Whoever finds the line away for a moment comes back after one to three times this.
const SOON: Duration = Duration::from_secs(1);

impl Refusal {
    /// The line does not answer for a moment.
    #[must_use]
    pub fn soon() -> Self {
        Self::Unavailable(SOON + mesh::random::jitter(SOON * 2))
    }
}

impl From<JoinError> for Refusal {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Busy => Self::Busy,
            JoinError::Unavailable => Self::soon(),
        }
    }
}

impl From<KeysError> for Refusal {
    fn from(_: KeysError) -> Self {
        Self::Keys
    }
}

impl From<TxError<Infallible>> for Refusal {
    fn from(error: TxError<Infallible>) -> Self {
        warn!(
            error = chain(&error),
            "the database of rooms does not answer"
        );
        Self::soon()
    }
}
