//! `google.rpc.Code` and the HTTP status of each.

use http::StatusCode;

/// A code of `google.rpc.Code`, without OK: an error is never OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// As in google/rpc/code.proto.
    Cancelled,
    /// As in google/rpc/code.proto.
    Unknown,
    /// As in google/rpc/code.proto.
    InvalidArgument,
    /// As in google/rpc/code.proto.
    DeadlineExceeded,
    /// As in google/rpc/code.proto.
    NotFound,
    /// As in google/rpc/code.proto.
    AlreadyExists,
    /// As in google/rpc/code.proto.
    PermissionDenied,
    /// As in google/rpc/code.proto.
    ResourceExhausted,
    /// As in google/rpc/code.proto.
    FailedPrecondition,
    /// As in google/rpc/code.proto.
    Aborted,
    /// As in google/rpc/code.proto.
    OutOfRange,
    /// As in google/rpc/code.proto.
    Unimplemented,
    /// As in google/rpc/code.proto.
    Internal,
    /// As in google/rpc/code.proto.
    Unavailable,
    /// As in google/rpc/code.proto.
    DataLoss,
    /// As in google/rpc/code.proto.
    Unauthenticated,
}

/// Code, number, name, HTTP status: the mapping that google/rpc/code.proto prescribes.
const TABLE: [(Code, i32, &str, u16); 16] = [
    (Code::Cancelled, 1, "CANCELLED", 499),
    (Code::Unknown, 2, "UNKNOWN", 500),
    (Code::InvalidArgument, 3, "INVALID_ARGUMENT", 400),
    (Code::DeadlineExceeded, 4, "DEADLINE_EXCEEDED", 504),
    (Code::NotFound, 5, "NOT_FOUND", 404),
    (Code::AlreadyExists, 6, "ALREADY_EXISTS", 409),
    (Code::PermissionDenied, 7, "PERMISSION_DENIED", 403),
    (Code::ResourceExhausted, 8, "RESOURCE_EXHAUSTED", 429),
    (Code::FailedPrecondition, 9, "FAILED_PRECONDITION", 400),
    (Code::Aborted, 10, "ABORTED", 409),
    (Code::OutOfRange, 11, "OUT_OF_RANGE", 400),
    (Code::Unimplemented, 12, "UNIMPLEMENTED", 501),
    (Code::Internal, 13, "INTERNAL", 500),
    (Code::Unavailable, 14, "UNAVAILABLE", 503),
    (Code::DataLoss, 15, "DATA_LOSS", 500),
    (Code::Unauthenticated, 16, "UNAUTHENTICATED", 401),
];

impl Code {
    /// The code of a number as gRPC sends it; UNKNOWN for 0 and for numbers without a name.
    pub fn of(number: i32) -> Self {
        TABLE
            .iter()
            .find(|row| row.1 == number)
            .map_or(Self::Unknown, |row| row.0)
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.row().1
    }

    /// Its name, `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Its HTTP status.
    pub fn http(self) -> StatusCode {
        StatusCode::from_u16(self.row().3).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn row(self) -> (Self, i32, &'static str, u16) {
        TABLE
            .into_iter()
            .find(|row| row.0 == self)
            .unwrap_or(TABLE[1])
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, TABLE};

    #[test]
    fn every_code_has_its_own_row() {
        for (at, (code, number, name, http)) in TABLE.into_iter().enumerate() {
            assert_eq!(usize::try_from(number).unwrap(), at + 1);
            assert_eq!(Code::of(number), code);
            assert_eq!(
                (code.number(), code.name(), code.http().as_u16()),
                (number, name, http)
            );
        }
        assert_eq!(Code::of(0), Code::Unknown);
        assert_eq!(Code::of(17), Code::Unknown);
    }
}
