//! What passes the door: headers by allow-list, both ways.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use mesh::identity::QUEUE_PASS;
use mesh::server::{self, REQUEST_ID};
use mesh::trace::{Kind, Span, TRACEPARENT, TraceParent};
use tonic::metadata::MetadataMap;

/// Headers that reach the services as they came. All others stay outside, the identity of a peer of the mesh first among them.
///
/// `last-event-id` is what a browser says when it connects to a stream again; where messages have ids, the service goes on behind it.
const FORWARDED: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static(QUEUE_PASS),
    HeaderName::from_static("last-event-id"),
];

/// Name and span of one request; the log line, the service behind and the answer share them.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) request_id: String,
    pub(crate) span: Span,
}

impl Tag {
    /// The caller's own, where they are well-formed, else new ones.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let parent = headers.get(TRACEPARENT);
        let parent = parent.and_then(|value| value.to_str().ok());
        let parent = parent.and_then(|text| text.parse::<TraceParent>().ok());
        let parent = parent.map(TraceParent::recorded);
        let request_id = server::request_id(headers);
        let mut span = Span::start(Kind::Server, "unrouted", parent);
        span.set("usher.request_id", request_id.clone());
        Self { request_id, span }
    }
}

/// What the service behind gets to see.
pub(crate) fn inward(headers: &HeaderMap, tag: &Tag) -> MetadataMap {
    let mut inward = HeaderMap::new();
    for name in FORWARDED {
        for value in headers.get_all(&name) {
            inward.append(name.clone(), value.clone());
        }
    }
    let own = [
        (REQUEST_ID, tag.request_id.clone()),
        (TRACEPARENT, tag.span.context().to_string()),
    ];
    for (name, value) in own {
        if let Ok(value) = HeaderValue::try_from(value) {
            inward.insert(HeaderName::from_static(name), value);
        }
    }
    MetadataMap::from_headers(inward)
}

/// What the caller gets besides the answer: its request id, and an end to guessing content types.
pub(crate) fn outward<B>(response: &mut Response<B>, tag: &Tag) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&tag.request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
}
