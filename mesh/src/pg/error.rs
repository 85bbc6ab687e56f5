//! What can go wrong with a database, told apart by what the caller may do next.

use diesel::result::{DatabaseErrorKind, Error};
use thiserror::Error as ThisError;

/// Marks a service's own error as one that a transaction may end with, so that `?` works on it and on database errors alike.
///
/// ```ignore
/// impl mesh::pg::DomainError for HoldError {}
/// ```
pub trait DomainError: Send + 'static {}

impl DomainError for std::convert::Infallible {}

/// Why a transaction did not commit, or may not have.
#[derive(Debug, ThisError)]
pub enum TxError<E> {
    /// The closure refused. Nothing was changed.
    #[error("refused")]
    Refused(E),
    /// No connection became free in time. Nothing ran; the caller may come back a little later.
    #[error("no database connection became free in time")]
    Busy,
    /// A lock or a statement took longer than its limit. Nothing was changed; the caller may come back a little later.
    #[error("a lock or a statement took longer than its limit")]
    LockTimeout,
    /// Other transactions kept getting in the way (40001, 40P01) although it was tried again. Nothing was changed.
    #[error("the transaction kept colliding with others")]
    Conflict,
    /// The server is away, or went away before COMMIT was sent. Nothing was changed.
    #[error("the database does not answer")]
    Unavailable,
    /// COMMIT was sent and its answer never came: it may or may not have happened. Only a replay by request_id tells.
    #[error("nobody knows whether the transaction committed")]
    Unknown,
    /// The server refused a statement: a constraint, or a fault of ours. Nothing was changed.
    #[error("the database refused a statement")]
    Database(#[source] Error),
}

impl<E> TxError<E> {
    /// The name of the constraint that refused a statement.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(error) => constraint(error),
            Self::Refused(_)
            | Self::Busy
            | Self::LockTimeout
            | Self::Conflict
            | Self::Unavailable
            | Self::Unknown => None,
        }
    }

    /// The same failure with its refusal told in other words.
    pub fn map_refused<F>(self, tell: impl FnOnce(E) -> F) -> TxError<F> {
        match self {
            Self::Refused(refusal) => TxError::Refused(tell(refusal)),
            Self::Busy => TxError::Busy,
            Self::LockTimeout => TxError::LockTimeout,
            Self::Conflict => TxError::Conflict,
            Self::Unavailable => TxError::Unavailable,
            Self::Unknown => TxError::Unknown,
            Self::Database(error) => TxError::Database(error),
        }
    }
}

impl TxError<std::convert::Infallible> {
    /// The same failure where a closure could have refused: for a use case that reads first and then writes.
    pub fn widen<E>(self) -> TxError<E> {
        self.map_refused(|never| match never {})
    }
}

impl<E: DomainError> From<E> for TxError<E> {
    fn from(error: E) -> Self {
        Self::Refused(error)
    }
}

impl<E> From<Error> for TxError<E> {
    fn from(error: Error) -> Self {
        match Class::of(&error) {
            Class::Conflict => Self::Conflict,
            Class::Timeout => Self::LockTimeout,
            Class::Connection => Self::Unavailable,
            Class::Statement => Self::Database(error),
        }
    }
}

/// Why a database could not be opened at start.
#[derive(Debug, ThisError)]
pub enum ConnectError {
    /// It cannot be reached, or the user is not let in.
    #[error("cannot connect to the database")]
    Connect(#[source] diesel_async::pooled_connection::PoolError),
    /// No connection came in time.
    #[error("the database did not answer in time")]
    Timeout,
}

/// The name of the constraint that refused a statement.
pub fn constraint(error: &Error) -> Option<&str> {
    match error {
        Error::DatabaseError(_, information) => information.constraint_name(),
        _ => None,
    }
}

/// What kind of failure a database error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// 40001 or 40P01: the same transaction may pass the next time.
    Conflict,
    /// 55P03 or 57014: a limit of ours was reached.
    Timeout,
    /// The connection is gone or useless.
    Connection,
    /// The statement itself.
    Statement,
}

/// Starts of the messages that tell a class. diesel keeps the message and drops SQLSTATE, so these texts are the contract; a connection is
/// refused when the server speaks another language (`pool::check_language`).
const TEXTS: &[(&str, Class)] = &[
    ("deadlock detected", Class::Conflict),
    ("could not serialize access", Class::Conflict),
    ("canceling statement due to lock timeout", Class::Timeout),
    ("could not obtain lock on", Class::Timeout),
    (
        "canceling statement due to statement timeout",
        Class::Timeout,
    ),
    ("terminating connection", Class::Connection),
    ("the database system is", Class::Connection),
    ("sorry, too many clients already", Class::Connection),
    ("remaining connection slots are reserved", Class::Connection),
];

impl Class {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::DatabaseError(kind, information) => match kind {
                DatabaseErrorKind::SerializationFailure => Self::Conflict,
                // A primary that became a replica: the pool has to find the new one.
                DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::ReadOnlyTransaction => Self::Connection,
                _ => Self::of_message(information.message()),
            },
            Error::BrokenTransactionManager | Error::RollbackErrorOnCommit { .. } => {
                Self::Connection
            }
            _ => Self::Statement,
        }
    }

    fn of_message(message: &str) -> Self {
        TEXTS
            .iter()
            .find(|(start, _)| message.starts_with(start))
            .map_or(Self::Statement, |(_, class)| *class)
    }
}
