//! A call ends when its caller's time is up, or the policy's cap, whichever is sooner.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tonic::Status;

use super::Stack;
use crate::status::DEADLINE_PASSED;

/// Our answer leaves this much before the caller's own timer, so that it is DEADLINE_EXCEEDED and not tonic's CANCELLED.
const MARGIN: Duration = Duration::from_millis(10);

pub(super) async fn layer(
    State(stack): State<Arc<Stack>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(policy) = stack.policies.get(request.uri().path()) else {
        return next.run(request).await; // `authorize` refuses it
    };
    let budget = match grpc_timeout(request.headers()) {
        Some(asked) => policy
            .deadline
            .min(asked.saturating_sub(MARGIN.min(asked / 10))),
        None => policy.deadline,
    };
    let end = Instant::now() + budget;
    let answer = crate::deadline::within(end, next.run(request));
    match timeout_at(end, answer).await {
        Err(_) => refusal().into_http(),
        Ok(response) if policy.server_streaming => response.map(|body| {
            Body::new(Deadlined {
                body,
                end: Box::pin(sleep_until(end)),
                over: false,
            })
        }),
        Ok(response) => response,
    }
}

fn refusal() -> Status {
    DEADLINE_PASSED
        .refuse("the call did not end within its deadline")
        .into()
}

/// How much time the caller of these headers gives.
#[must_use]
pub fn grpc_timeout(headers: &http::HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?;
    value.to_str().ok().and_then(parse)
}

/// Value of a `grpc-timeout` header: at most 8 digits and a unit.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The body of a stream that ends, with a status, when its time is up.
struct Deadlined {
    body: Body,
    end: Pin<Box<Sleep>>,
    over: bool,
}

impl HttpBody for Deadlined {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if self.end.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.over = true;
        let mut trailers = http::HeaderMap::new();
        // A status that does not fit into headers would end the stream without one, which clients read as UNKNOWN.
        let _ = refusal().add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read_as_the_protocol_says() {
        for (text, read) in [
            ("1S", Some(Duration::from_secs(1))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("2H", Some(Duration::from_secs(7200))),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("123456789S", None),
            ("1é", None),
        ] {
            assert_eq!(parse(text), read, "{text}");
        }
    }
}
