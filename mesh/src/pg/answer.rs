//! What a caller is told when the database fails. The same in every service.

use std::time::Duration;

use tonic::Status;
use tracing::warn;

use super::TxError;
use crate::status::{DEPENDENCY_DOWN, OVERLOADED, internal};

/// A full pool and a contended row drain in about a second or not at all.
const OVERLOADED_RETRY: Duration = Duration::from_secs(1);
/// A restart or a failover of the database takes seconds.
const DOWN_RETRY: Duration = Duration::from_secs(3);

impl<E> TxError<E> {
    /// The status of this failure; a refusal is answered by `refused`.
    ///
    /// An unknown COMMIT is UNAVAILABLE like a server that is away: the caller repeats with the same request_id and learns what happened.
    pub fn into_status(self, refused: impl FnOnce(E) -> Status) -> Status {
        match self {
            Self::Refused(refusal) => refused(refusal),
            Self::Busy => overloaded("every database connection is in use"),
            Self::LockTimeout => overloaded("a lock did not come in time"),
            Self::Conflict => overloaded("other calls kept changing the same rows"),
            Self::Unavailable => down("the database does not answer"),
            Self::Unknown => {
                warn!("a COMMIT was not answered");
                down("the outcome is unknown; repeat with the same request_id")
            }
            Self::Database(error) => internal(&error),
        }
    }
}

fn overloaded(message: &str) -> Status {
    OVERLOADED
        .refuse(message)
        .retry_after(OVERLOADED_RETRY)
        .into()
}

fn down(message: &str) -> Status {
    DEPENDENCY_DOWN
        .refuse(message)
        .retry_after(DOWN_RETRY)
        .into()
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn what_may_be_repeated_says_when_and_the_rest_says_nothing_of_itself() {
        let fault = diesel::result::Error::QueryBuilderError("secret".into());
        for (error, code, retry) in [
            (TxError::Busy, Code::ResourceExhausted, true),
            (TxError::LockTimeout, Code::ResourceExhausted, true),
            (TxError::Conflict, Code::ResourceExhausted, true),
            (TxError::Unavailable, Code::Unavailable, true),
            (TxError::Unknown, Code::Unavailable, true),
            (TxError::Database(fault), Code::Internal, false),
            (TxError::Refused(()), Code::NotFound, false),
        ] {
            let text = format!("{error:?}");
            let status = error.into_status(|()| Status::not_found("no such thing"));
            assert_eq!(status.code(), code, "{text}");
            assert_eq!(status.get_details_retry_info().is_some(), retry, "{text}");
            assert!(!status.message().contains("secret"), "{text}");
        }
    }
}
