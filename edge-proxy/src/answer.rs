//! The body of an answer: whole, or in parts.

use bytes::Bytes;
use futures_util::Stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use thiserror::Error;

/// What every listener writes.
pub(crate) type Body = UnsyncBoxBody<Bytes, BrokenOff>;

/// A body whose end will not come. HTTP has no other way to say so behind the head: the reader sees that the body is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

/// A body that is known.
pub(crate) fn whole(bytes: Bytes) -> Body {
    let body = Full::new(bytes);
    body.map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes piece by piece.
pub(crate) fn parts(pieces: impl Stream<Item = Result<Bytes, BrokenOff>> + Send + 'static) -> Body {
    use futures_util::TryStreamExt;
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}
