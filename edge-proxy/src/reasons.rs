//! The reasons of the door beside those of the mesh.

use mesh::status::Reason;
use tonic::Code;

/// A stream in a form that is none of ours.
pub(crate) const NOT_ACCEPTABLE: Reason = Reason::new(
    "NOT_ACCEPTABLE",
    Code::InvalidArgument,
    "HTTP 406: a streamed answer comes as application/json, application/x-ndjson or text/event-stream; accept one of them",
);
/// The process ends while a stream runs.
pub(crate) const SHUTTING_DOWN: Reason = Reason::new(
    "SHUTTING_DOWN",
    Code::Unavailable,
    "this instance stops, which ends a stream, or did not let it begin; connect again after RetryInfo",
);
/// A body that came too slowly.
pub(crate) const BODY_TIMEOUT: Reason = Reason::new(
    "BODY_TIMEOUT",
    Code::Aborted,
    "HTTP 408: the body did not arrive in time; send it again",
);
/// Written by `transcode`, as the four below.
const ROUTE_NOT_FOUND: Reason = Reason::new(
    "ROUTE_NOT_FOUND",
    Code::NotFound,
    "HTTP 404: no method has this path; see the routes of the contracts",
);
const METHOD_NOT_ALLOWED: Reason = Reason::new(
    "METHOD_NOT_ALLOWED",
    Code::Unimplemented,
    "HTTP 405: the path takes the methods of the header Allow",
);
const BODY_TOO_LARGE: Reason = Reason::new(
    "BODY_TOO_LARGE",
    Code::InvalidArgument,
    "HTTP 413: the body is larger than max_request_bytes of ErrorInfo; do not repeat unchanged",
);
const UNSUPPORTED_MEDIA_TYPE: Reason = Reason::new(
    "UNSUPPORTED_MEDIA_TYPE",
    Code::InvalidArgument,
    "HTTP 415: send application/json in UTF-8, without Content-Encoding",
);
const UPSTREAM_MESSAGE_INVALID: Reason = Reason::new(
    "UPSTREAM_MESSAGE_INVALID",
    Code::Internal,
    "the service answered with what JSON cannot say: its contracts and those of the door differ",
);

/// The reasons of this crate, for `docs/ERRORS.md`.
pub const REASONS: &[&Reason] = &[
    &NOT_ACCEPTABLE,
    &SHUTTING_DOWN,
    &BODY_TIMEOUT,
    &ROUTE_NOT_FOUND,
    &METHOD_NOT_ALLOWED,
    &BODY_TOO_LARGE,
    &UNSUPPORTED_MEDIA_TYPE,
    &UPSTREAM_MESSAGE_INVALID,
];

#[cfg(test)]
mod tests {
    use transcode::Failure;

    use super::*;

    #[test]
    fn the_table_says_what_is_written() {
        let written = [
            (Failure::route_not_found(), ROUTE_NOT_FOUND),
            (Failure::method_not_allowed(["GET"]), METHOD_NOT_ALLOWED),
            (Failure::body_too_large(1), BODY_TOO_LARGE),
            (Failure::unsupported_media_type(""), UNSUPPORTED_MEDIA_TYPE),
        ];
        for (failure, reason) in written {
            assert_eq!(failure.reason(), reason.name);
            assert_eq!(failure.code().number(), i32::from(reason.code));
        }
    }
}
