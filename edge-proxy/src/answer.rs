//! The body of an answer: whole, or in parts.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::Stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

/// What every listener writes.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body that is known.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}

/// A body that comes piece by piece.
pub(crate) fn parts(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures_util::StreamExt;
    StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync()
}
