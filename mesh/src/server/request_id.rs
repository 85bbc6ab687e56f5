use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;

use crate::id;
use crate::trace::{self, TRACEPARENT, TraceParent};

/// Header that names a request from edge to database; the log line and the answer share it.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest request id taken from a caller; anything longer is replaced.
const REQUEST_ID_MAX: usize = 64;

/// The id of the request, for the layers below.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// Gives every call an id and a trace, its own or the caller's.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let request_id = match given.filter(|text| is_plain(text)) {
        Some(text) => text.to_owned(),
        None => id::new().to_string(),
    };
    let parent = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    let trace = parent.and_then(|text| text.parse::<TraceParent>().ok());
    let trace = trace.map_or_else(TraceParent::fresh, TraceParent::child);
    request
        .extensions_mut()
        .insert(RequestId(request_id.clone()));
    let mut response = trace::within(Some(trace), next.run(request)).await;
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(plain)
}
