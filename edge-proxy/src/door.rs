//! What happens to one request. [`Door::pass`] is the whole list, in order; each step may refuse.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use mesh::clock::Stopwatch;
use mesh::identity::{PassVerifier, TokenVerifier};
use mesh::status::{INTERNAL, OVERLOADED, Refusal, internal};
use mesh::{random, trace};
use prost::Message;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{error, info};
use transcode::{ErrorWriter, Failure, Framing};

use crate::answer::{Body, whole};
use crate::body::Memory;
use crate::headers::{self, Tag};
use crate::limits::Limits;
use crate::page::{self, Page};
use crate::places::{Places, Subject};
use crate::rates::network;
use crate::reasons::NOT_ACCEPTABLE;
use crate::stream::{self, Form, Stream};
use crate::table::Table;
use crate::{deadline, identify, passes, upstream};

/// Shortest time to come back after a refusal for lack of room; the same again is added at random, so that callers spread out.
pub(crate) const RETRY: Duration = Duration::from_millis(500);

/// Route of the label when there is none: paths are the caller's choice and must not become metric labels.
const UNROUTED: &str = "unrouted";

/// Where each listener tells its own contract.
const DOCUMENT: &str = "/openapi.json";

/// One listener's way in.
pub(crate) struct Door {
    pub(crate) table: Table,
    /// What is answered at [`DOCUMENT`].
    pub(crate) document: Bytes,
    pub(crate) page: Option<Page>,
    pub(crate) shared: Arc<Shared>,
}

/// What the doors share.
pub(crate) struct Shared {
    pub(crate) errors: ErrorWriter,
    pub(crate) verifier: TokenVerifier,
    /// Looks at queue passes; without it only the service does.
    pub(crate) passes: Option<PassVerifier>,
    pub(crate) requests: Semaphore,
    pub(crate) streams: Arc<Places>,
    pub(crate) memory: Memory,
    pub(crate) limits: Limits,
    /// Cancelled when the process stops: streams have no end of their own.
    pub(crate) stop: CancellationToken,
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
    ) -> Response<Body> {
        let watch = Stopwatch::start();
        let mut tag = Tag::of(request.headers());
        let (head, body) = request.into_parts();
        let mut seen = Seen::default();
        let pass = survive(self.pass(from, &head, body, &tag, &mut seen), &tag);
        let outcome = trace::within(Some(tag.span.context()), pass).await;
        let mut response =
            outcome.unwrap_or_else(|refused| self.shared.refuse(&refused).map(whole));
        headers::outward(&mut response, &tag);
        report(&seen, &mut tag, from, response.status(), watch);
        response
    }

    async fn pass(
        &self,
        from: SocketAddr,
        head: &Parts,
        body: Incoming,
        tag: &Tag,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Refused> {
        let shared = &self.shared;
        // Full means come back later, before any work is spent.
        if shared.requests.available_permits() == 0 {
            return Err(overloaded().into());
        }
        if head.method == Method::GET && head.uri.path() == DOCUMENT {
            seen.route = Some(format!("GET {DOCUMENT}"));
            let document = Response::builder().header(CONTENT_TYPE, "application/json");
            let document = document.body(whole(self.document.clone()));
            return document.map_err(|error| internal(&error).into());
        }
        let page = self.page.as_ref();
        if let Some(file) = page.and_then(|page| page.answer(&head.method, head.uri.path())) {
            seen.route = Some(format!("{} {}{{file}}", head.method, page::PREFIX));
            return Ok(file?.map(whole));
        }
        // Unknown here is unknown everywhere: methods for peers have no route at all.
        let (entry, found) = self.table.find(head.method.as_str(), head.uri.path())?;
        seen.route = Some(format!("{} {}", head.method, found.route.pattern()));
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
        if entry.policy.queue_pass
            && let (Some(verifier), Some(account_id)) = (&shared.passes, seen.account)
        {
            passes::look(verifier, &head.headers, account_id).await?;
        }
        // Cheap mistakes are told before the body is read.
        let budget = deadline::budget(&head.headers, entry.policy.deadline)?;
        refuse_encoded(&head.headers)?;
        let streamed = match entry.policy.server_streaming {
            // Its content type is the service's to choose.
            true if found.route.answers_raw_body() => Some(Form::Raw),
            true => Some(Form::Framed(framing(&head.headers)?)),
            false => None,
        };
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
        let Some(form) = streamed else {
            let answer = upstream::call(entry, message, metadata, budget).await?;
            return Ok(found.route.response(&answer)?.map(whole));
        };
        let subject = seen
            .account
            .map_or(Subject::Address(network(from.ip())), Subject::Account);
        let place = shared.streams.take(subject)?;
        let opened = tokio::select! {
            opened = upstream::open(entry, message, metadata, budget) => opened,
            // The first message may take minutes; the drain does not wait for it.
            () = shared.stop.cancelled() => Err(stream::stopping()),
        };
        let (messages, first) = opened?;
        let stream = Stream::new(shared, found.route, form, messages, tag, place);
        Ok(stream.answer(first)?)
    }
}

impl Shared {
    /// The answer to a request that was refused.
    pub(crate) fn refuse(&self, refused: &Refused) -> Response<Bytes> {
        let mut response = match refused {
            Refused::Here(failure) => self.errors.failure(failure),
            Refused::Status(status) => {
                self.errors
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

pub(crate) fn overloaded() -> Refusal {
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

/// The form of a streamed answer that the caller takes.
fn framing(headers: &HeaderMap) -> Result<Framing, Failure> {
    let values = headers.get_all(ACCEPT).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    Framing::accepted(Some(&values.join(","))).ok_or_else(|| {
        let message = "Accept application/json, application/x-ndjson or text/event-stream.";
        Failure::new(
            transcode::Code::InvalidArgument,
            NOT_ACCEPTABLE.name,
            message,
        )
        .http(StatusCode::NOT_ACCEPTABLE)
    })
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
fn report(seen: &Seen, tag: &mut Tag, from: SocketAddr, status: StatusCode, watch: Stopwatch) {
    let seconds = watch.elapsed().as_secs_f64();
    let route = seen.route.clone().unwrap_or_else(|| UNROUTED.to_owned());
    let code = status.as_str().to_owned();
    metrics::counter!("usher_edge_requests_total", "route" => route.clone(), "code" => code)
        .increment(1);
    metrics::histogram!("usher_edge_duration_seconds", "route" => route.clone()).record(seconds);
    tag.span.rename(route.clone());
    let number = i64::from(status.as_u16());
    tag.span.set("http.response.status_code", number);
    if status.is_server_error() {
        tag.span.fail(status.to_string());
    }
    info!(
        route,
        status = status.as_u16(),
        seconds,
        request_id = tag.request_id,
        trace_id = tag.span.context().trace_id(),
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
