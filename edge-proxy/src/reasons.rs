//! The reasons of the door beside those of the mesh. What the library for JSON refuses has reasons of its own: ROUTE_NOT_FOUND,
//! METHOD_NOT_ALLOWED, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, UPSTREAM_MESSAGE_INVALID.

use mesh::status::Reason;
use tonic::Code;

/// An answer in parts.
pub(crate) const STREAM_NOT_SERVED: Reason = Reason::new(
    "STREAM_NOT_SERVED",
    Code::Unimplemented,
    "REST does not serve streamed answers yet; call the method by gRPC, or poll",
);
/// A body that came too slowly.
pub(crate) const BODY_TIMEOUT: Reason = Reason::new(
    "BODY_TIMEOUT",
    Code::Aborted,
    "the body did not arrive in time; send it again",
);

/// The reasons of this crate, for `docs/ERRORS.md`.
pub const REASONS: &[&Reason] = &[&STREAM_NOT_SERVED, &BODY_TIMEOUT];
