//! Refuses a message by the length its gRPC frame announces, before it is read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};
use http_body_util::BodyExt;
use tonic::Status;

use super::Stack;
use super::authorize::Applied;
use crate::status::{INVALID_REQUEST, Violations};

/// gRPC frame header: one flag byte and four of length.
const FRAME_HEADER: usize = 5;

pub(super) async fn layer(_: State<Arc<Stack>>, request: Request, next: Next) -> Response {
    let Some(applied) = request.extensions().get::<Applied>().cloned() else {
        return next.run(request).await;
    };
    let limit = applied.0.max_request_bytes;
    let (parts, mut body) = request.into_parts();
    let mut start = BytesMut::new();
    while start.len() < FRAME_HEADER {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    start.extend_from_slice(&data);
                }
            }
            Some(Err(_)) => return Status::cancelled("the request broke off").into_http(),
            None => break,
        }
    }
    if announced(&start).is_some_and(|length| length > limit) {
        let mut violations = Violations::new();
        violations.add("", format!("the request must have at most {limit} bytes"));
        return violations.refuse(&INVALID_REQUEST).into_http();
    }
    let start = stream::iter([Ok::<Bytes, axum::Error>(start.freeze())]);
    let whole = Body::from_stream(start.chain(body.into_data_stream()));
    next.run(Request::from_parts(parts, whole)).await
}

fn announced(start: &[u8]) -> Option<usize> {
    let length: [u8; 4] = start.get(1..FRAME_HEADER)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}
