//! What passes the door: headers by allow-list, both ways.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use mesh::id;
use mesh::server::REQUEST_ID;
use mesh::trace::{TRACEPARENT, TraceParent};
use tonic::metadata::MetadataMap;

/// Headers that reach the services as they came. All others stay outside, the identity of a peer of the mesh first among them.
const FORWARDED: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("usher-queue-pass")];

/// Longest request id taken from a caller; anything longer is replaced.
const REQUEST_ID_MAX: usize = 64;

/// Name and trace of one request; the log line, the service behind and the answer share them.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) request_id: String,
    pub(crate) trace: TraceParent,
}

impl Tag {
    /// The caller's own, where they are well-formed, else new ones.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = text(REQUEST_ID).filter(|text| is_plain(text));
        let trace = text(TRACEPARENT).and_then(|text| text.parse::<TraceParent>().ok());
        Self {
            request_id: request_id.map_or_else(|| id::new().to_string(), str::to_owned),
            trace: trace.map_or_else(TraceParent::fresh, TraceParent::child),
        }
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(plain)
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
        (TRACEPARENT, tag.trace.child().to_string()),
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
