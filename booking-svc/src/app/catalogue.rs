//! The catalogue: what is on sale, and who may change or see it.

use mesh::clock;
use mesh::money::Currency;
use mesh::pg::idempotency::{self, Begun, First, Key, RequestHash};
use mesh::pg::{Connection, Database, DomainError, TxError};
use thiserror::Error as ThisError;
use uuid::Uuid;

use crate::domain::finding::Findings;
use crate::domain::show::{Show, Viewer};

mod hall;
mod performance;
mod plan;
mod show;
mod unit;
mod venue;

pub use hall::{CreateHall, SeatsFrom};
pub use performance::Start;
pub use plan::ImportedPlan;

/// A first or repeated request that changes something.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose it is.
    pub key: Key,
    /// What it says.
    pub hash: RequestHash,
}

/// Why the catalogue does not do as it was asked.
#[derive(Debug, ThisError, PartialEq, Eq)]
pub enum Rejection {
    /// No such venue.
    #[error("there is no such venue")]
    VenueNotFound,
    /// No such plan, or one of another seller.
    #[error("there is no such seating plan")]
    PlanNotFound,
    /// No such hall.
    #[error("there is no such hall")]
    HallNotFound,
    /// No such show, or a draft of another seller.
    #[error("there is no such show")]
    ShowNotFound,
    /// No such performance, or one of a draft.
    #[error("there is no such performance")]
    PerformanceNotFound,
    /// No such pool, or one of a draft.
    #[error("there is no such pool")]
    PoolNotFound,
    /// The show is looked at only by those whom its waiting room let in.
    #[error("the show is shown to those whom its waiting room let in")]
    QueuePassRequired(Uuid),
    /// It belongs to another seller.
    #[error("it belongs to another seller")]
    NotYours,
    /// The venue has a hall of this name.
    #[error("the venue has a hall of this name")]
    HallNameTaken,
    /// The show is not a draft.
    #[error("only a DRAFT can be published")]
    ShowNotDraft,
    /// The show has no performance.
    #[error("a show needs a performance to be published")]
    ShowHasNoPerformance,
    /// A price in another currency than the show's.
    #[error("every price of this show is in {expected}, not in {found}")]
    CurrencyMismatch {
        /// Currency of the show.
        expected: Currency,
        /// Currency of the price.
        found: Currency,
    },
    /// What the request says does not fit what is there.
    #[error("the request is not valid")]
    Invalid(Findings),
    /// The file is not a seating plan.
    #[error("the seating plan is not valid")]
    PlanInvalid(Findings),
    /// The request_id came before with another body.
    #[error("this request_id came before with another body")]
    RequestIdReused,
    /// The first call with this request_id still runs.
    #[error("the first call with this request_id still runs")]
    RequestInProgress,
    /// The work on a thread of its own panicked.
    #[error("the work did not end")]
    Interrupted,
}

impl DomainError for Rejection {}

/// Why a use case of the catalogue failed.
pub type Error = TxError<Rejection>;

/// The use cases of the catalogue.
#[derive(Clone, Debug)]
pub struct Catalogue {
    database: Database,
}

impl Catalogue {
    /// The catalogue in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

/// What a request is, once its refusals are out of the way.
enum Turn {
    /// Do it, then record it.
    First(First),
    /// It was done to this resource: answer as it is now.
    Replay(Uuid),
}

async fn begin(connection: &mut Connection, request: Request) -> Result<Turn, Error> {
    match idempotency::begin(connection, request.key, request.hash).await? {
        Begun::First(first) => Ok(Turn::First(first)),
        Begun::Replay { resource_id } => Ok(Turn::Replay(resource_id)),
        Begun::Reused => Err(Rejection::RequestIdReused.into()),
        Begun::InProgress => Err(Rejection::RequestInProgress.into()),
    }
}

/// `show` if the viewer may know of it, else as if it were not there.
fn visible(show: Option<Show>, viewer: &Viewer, hidden: Rejection) -> Result<Show, Rejection> {
    show.filter(|show| show.is_visible_to(viewer)).ok_or(hidden)
}

/// `show` if the viewer may know of it and look at it.
fn open(show: Option<Show>, viewer: &Viewer, hidden: Rejection) -> Result<Show, Rejection> {
    let show = visible(show, viewer, hidden)?;
    if show.is_open_to(viewer, clock::now()) {
        Ok(show)
    } else {
        Err(Rejection::QueuePassRequired(show.show_id))
    }
}
