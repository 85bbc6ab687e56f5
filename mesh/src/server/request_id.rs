use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use tonic::Code;

use crate::id;
use crate::trace::{self, Kind, Span, TRACEPARENT, TraceParent};

/// Header that names a request from edge to database; the log line and the answer share it.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest request id taken from a caller; anything longer is replaced.
const REQUEST_ID_MAX: usize = 64;

/// The id of the request, for the layers below.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The caller's id for a request where it is well-formed, else a new one.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID);
    let given = given.and_then(|value| value.to_str().ok());
    match given.filter(|text| is_plain(text)) {
        Some(text) => text.to_owned(),
        None => id::new().to_string(),
    }
}

/// Gives every call an id and a trace, its own or the caller's.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let request_id = request_id(request.headers());
    let parent = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    let parent = parent.and_then(|text| text.parse::<TraceParent>().ok());
    let mut span = Span::start(Kind::Server, request.uri().path().to_owned(), parent);
    span.set("usher.request_id", request_id.clone());
    request
        .extensions_mut()
        .insert(RequestId(request_id.clone()));
    let mut response = trace::within(Some(span.context()), next.run(request)).await;
    let status = response.headers().get("grpc-status");
    let code = status.map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()));
    span.set("rpc.grpc.status_code", i64::from(i32::from(code)));
    if code == Code::Unimplemented {
        // Paths are the caller's choice and must not become names.
        span.rename("unserved");
    }
    if code != Code::Ok {
        span.fail(format!("{code:?}"));
    }
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(plain)
}
