//! What happens to one request. [`Door::pass`] is the whole list, in order; each step may refuse.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use mesh::clock::Stopwatch;
use mesh::identity::TokenVerifier;
use mesh::status::{INTERNAL, OVERLOADED, Refusal};
use mesh::{random, trace};
use prost::Message;
use tokio::sync::Semaphore;
use tonic::Status;
use tracing::{error, info};
use transcode::{ErrorWriter, Failure};

use crate::body::Memory;
use crate::headers::{self, Tag};
use crate::limits::Limits;
use crate::reasons::STREAM_NOT_SERVED;
use crate::table::Table;
use crate::{deadline, identify, upstream};

/// Shortest time to come back after a refusal for lack of room; the same again is added at random, so that callers spread out.
pub(crate) const RETRY: Duration = Duration::from_millis(500);

/// Route of the label when there is none: paths are the caller's choice and must not become metric labels.
const UNROUTED: &str = "unrouted";

/// One listener's way in.
pub(crate) struct Door {
    pub(crate) table: Table,
    pub(crate) shared: Arc<Shared>,
}

/// What the doors share.
pub(crate) struct Shared {
    pub(crate) errors: ErrorWriter,
    pub(crate) verifier: TokenVerifier,
    pub(crate) requests: Semaphore,
    pub(crate) memory: Memory,
    pub(crate) limits: Limits,
}

/// Why a request did not get its answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Refused by the rules of HTTP and JSON.
    Here(Failure),
    /// Refused with a status, ours or the service's.
    Status(Status),
}

/// What the log line says of a request once it is known.
#[derive(Debug, Default)]
struct Seen {
    route: Option<String>,
    account: Option<uuid::Uuid>,
}

impl Door {
    /// Answers a request; every way ends in an answer.
    pub(crate) async fn answer(
        &self,
        from: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<Bytes> {
        let watch = Stopwatch::start();
        let tag = Tag::of(request.headers());
        let (head, body) = request.into_parts();
        let mut seen = Seen::default();
        let pass = survive(self.pass(from, &head, body, &tag, &mut seen), &tag);
        let outcome = trace::within(Some(tag.trace), pass).await;
        let mut response = outcome.unwrap_or_else(|refused| self.refuse(&refused));
        headers::outward(&mut response, &tag);
        report(&seen, &tag, from, response.status(), watch);
        response
    }

    async fn pass(
        &self,
        from: SocketAddr,
        head: &Parts,
        body: Incoming,
        tag: &Tag,
        seen: &mut Seen,
    ) -> Result<Response<Bytes>, Refused> {
        let shared = &self.shared;
        // Full means come back later, before any work is spent.
        if shared.requests.available_permits() == 0 {
            return Err(overloaded().into());
        }
        // Unknown here is unknown everywhere: methods for peers have no route at all.
        let (entry, found) = self.table.find(head.method.as_str(), head.uri.path())?;
        seen.route = Some(format!("{} {}", head.method, found.route.pattern()));
        if entry.policy.server_streaming {
            return Err(STREAM_NOT_SERVED
                .refuse("streamed answers have no REST form yet")
                .into());
        }
        // The address is counted before cryptography, the subject after it.
        if let Some(rates) = &entry.rates {
            rates.address(from.ip())?;
        }
        let caller = identify::caller(&shared.verifier, &head.headers).await?;
        seen.account = caller.account.as_ref().map(|account| account.account_id);
        entry.policy.admit(caller.standing())?;
        if let Some(rates) = &entry.rates {
            rates.subject(seen.account, from.ip())?;
        }
        // Cheap mistakes are told before the body is read.
        let budget = deadline::budget(&head.headers, entry.policy.deadline)?;
        refuse_encoded(&head.headers)?;
        let body = shared
            .memory
            .read(body, entry.policy.max_request_bytes, &shared.limits)
            .await?;
        // Room is taken here and not above: a slow upload has its own bounds and must not keep others out.
        let _room = shared.requests.try_acquire().map_err(|_| overloaded())?;
        let message = found.message(&transcode::Request {
            query: head.uri.query(),
            content_type: text(&head.headers, CONTENT_TYPE.as_str())?,
            idempotency_key: text(&head.headers, "idempotency-key")?,
            body: body.bytes.clone(),
        })?;
        // The caller's time starts here: a slow upload is bounded by its own limits.
        let message = Bytes::from(message.encode_to_vec());
        let metadata = headers::inward(&head.headers, tag);
        let answer = upstream::call(entry, message, metadata, budget).await?;
        Ok(found.route.response(&answer)?)
    }

    fn refuse(&self, refused: &Refused) -> Response<Bytes> {
        let mut response = match refused {
            Refused::Here(failure) => self.shared.errors.failure(failure),
            Refused::Status(status) => {
                self.shared
                    .errors
                    .status(status.code().into(), status.message(), status.details())
            }
        };
        if response.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A panic is one failed request, not a dead connection with every other stream on it.
async fn survive<T>(
    work: impl Future<Output = Result<T, Refused>>,
    tag: &Tag,
) -> Result<T, Refused> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| {
        error!(request_id = tag.request_id, "a request panicked");
        Err(INTERNAL.refuse("internal error").into())
    })
}

fn overloaded() -> Refusal {
    metrics::counter!("usher_edge_shed_total").increment(1);
    OVERLOADED
        .refuse("too many requests at once")
        .retry_after(RETRY + random::jitter(RETRY))
}

fn refuse_encoded(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Failure::unsupported_media_type(
            "Send the body without Content-Encoding.",
        )),
        _ => Ok(()),
    }
}

/// A header that must be readable text where it is given, and stand once.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text)),
        _ => {
            let message = format!("The header {name} stands twice or is not plain text.");
            Err(
                Failure::new(transcode::Code::InvalidArgument, "INVALID_REQUEST", message)
                    .with("header", name),
            )
        }
    }
}

/// One log line and one count a request.
fn report(seen: &Seen, tag: &Tag, from: SocketAddr, status: StatusCode, watch: Stopwatch) {
    let seconds = watch.elapsed().as_secs_f64();
    let route = seen.route.clone().unwrap_or_else(|| UNROUTED.to_owned());
    let code = status.as_str().to_owned();
    metrics::counter!("usher_edge_requests_total", "route" => route.clone(), "code" => code)
        .increment(1);
    metrics::histogram!("usher_edge_duration_seconds", "route" => route.clone()).record(seconds);
    info!(
        route,
        status = status.as_u16(),
        seconds,
        request_id = tag.request_id,
        trace_id = tag.trace.trace_id(),
        account_id = seen.account.map(tracing::field::display),
        client = %from.ip(),
        "{route} {}",
        status.as_u16()
    );
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Status(refusal.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_failed_request() {
        let tag = Tag::of(&HeaderMap::new());
        let panics = async { panic!("as the test asked") };
        let outcome: Result<(), Refused> = survive(panics, &tag).await;
        match outcome {
            Err(Refused::Status(status)) => assert_eq!(status.code(), tonic::Code::Internal),
            other => panic!("{other:?}"),
        }
    }
}
