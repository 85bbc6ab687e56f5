//! A streamed answer: each message of the service in a frame, something to hear while there is none, and one last frame that says how it
//! ended. Raw bytes have no frames: they follow each other, and an answer that fails breaks off. Who goes away ends the call behind.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderName, HeaderValue, Response};
use mesh::clock::Stopwatch;
use mesh::random;
use tokio::time::sleep;
use tonic::Status;
use tracing::info;
use transcode::{Failure, Framing, Route};

use crate::answer::{Body, BrokenOff, parts};
use crate::door::{RETRY, Refused, Shared};
use crate::headers::Tag;
use crate::places::Place;
use crate::reasons::SHUTTING_DOWN;
use crate::upstream::Messages;

/// A stream that has begun.
pub(crate) struct Stream {
    shared: Arc<Shared>,
    route: Route,
    form: Form,
    messages: Messages,
    told: Told,
    _place: Place,
}

/// How messages stand in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As JSON, in frames.
    Framed(Framing),
    /// As the bytes that are in them.
    Raw,
}

/// What the log says of a stream once it is over.
struct Told {
    label: String,
    request_id: String,
    watch: Stopwatch,
    messages: u64,
    /// `None` while it runs.
    outcome: Option<&'static str>,
}

/// Outcome of a stream whose reader went away.
const LEFT: &str = "left";

impl Stream {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        route: &Route,
        form: Form,
        messages: Messages,
        tag: &Tag,
        place: Place,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            route: route.clone(),
            form,
            messages,
            told: Told {
                label: route.pattern().to_owned(),
                request_id: tag.request_id.clone(),
                watch: Stopwatch::start(),
                messages: 0,
                outcome: None,
            },
            _place: place,
        }
    }

    /// The answer, beginning with the first message.
    ///
    /// # Errors
    /// [`Failure`] when it has no JSON form.
    pub(crate) fn answer(mut self, first: Option<Bytes>) -> Result<Response<Body>, Failure> {
        let (content_type, begin) = self.begin(first)?;
        let start = (Some(begin), self);
        let pieces = unfold(start, async |(begin, mut stream)| {
            let piece = match begin {
                Some(begin) => Ok(begin),
                None => stream.next().await?,
            };
            Some((piece, (None, stream)))
        });
        let mut response = Response::new(parts(pieces));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(VARY, HeaderValue::from_static("accept"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // nginx collects answers otherwise until its buffer is full.
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
        Ok(response)
    }

    /// The content type and the first piece of the body.
    fn begin(&mut self, first: Option<Bytes>) -> Result<(HeaderValue, Bytes), Failure> {
        let Some(message) = first else {
            let content_type = match self.form {
                Form::Framed(framing) => framing.content_type(),
                Form::Raw => "application/octet-stream",
            };
            let end = self.end("end", |framing, first| framing.end(first));
            return Ok((HeaderValue::from_static(content_type), end));
        };
        let content_type = match self.form {
            Form::Framed(framing) => HeaderValue::from_static(framing.content_type()),
            Form::Raw => {
                let (head, _) = self.route.response(&message)?.into_parts();
                let own = head.headers.get(CONTENT_TYPE).cloned();
                own.unwrap_or(HeaderValue::from_static("application/octet-stream"))
            }
        };
        Ok((content_type, self.frame(&message)?))
    }

    /// The next piece of the body; `None` behind the last one.
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        if self.told.outcome.is_some() {
            return None;
        }
        let stop = self.shared.stop.clone();
        loop {
            let quiet = sleep(self.shared.limits.keep_alive);
            let refused: Refused = tokio::select! {
                message = self.messages.next() => match message {
                    Ok(Some(message)) => match self.frame(&message) {
                        Ok(frame) => return Some(Ok(frame)),
                        Err(failure) => failure.into(),
                    },
                    Ok(None) => return Some(Ok(self.end("end", |framing, first| framing.end(first)))),
                    Err(status) => status.into(),
                },
                () = stop.cancelled() => stopping().into(),
                () = quiet => match self.form.keep_alive() {
                    Some(comment) => return Some(Ok(comment)),
                    None => continue,
                },
            };
            let error = self.shared.refuse(&refused).into_body();
            let last = self.end("error", |framing, first| framing.error(&error, first));
            return Some(match self.form {
                Form::Framed(_) => Ok(last),
                Form::Raw => Err(BrokenOff),
            });
        }
    }

    fn frame(&mut self, message: &[u8]) -> Result<Bytes, Failure> {
        let body = self.route.response(message)?.into_body();
        let frame = match self.form {
            Form::Framed(framing) => framing.message(&body, self.told.messages == 0),
            Form::Raw => body,
        };
        self.told.messages += 1;
        Ok(frame)
    }

    fn end(&mut self, outcome: &'static str, frame: impl Fn(Framing, bool) -> Bytes) -> Bytes {
        self.told.outcome = Some(outcome);
        match self.form {
            Form::Framed(framing) => frame(framing, self.told.messages == 0),
            Form::Raw => Bytes::new(),
        }
    }
}

impl Form {
    fn keep_alive(self) -> Option<Bytes> {
        match self {
            Self::Framed(framing) => framing.keep_alive(),
            Self::Raw => None,
        }
    }
}

/// Not a standard header; nginx reads it.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a stream is told when the process stops, as its answer or as its last frame.
pub(crate) fn stopping() -> Status {
    let refusal = SHUTTING_DOWN.refuse("this instance stops; connect again");
    refusal.retry_after(RETRY + random::jitter(RETRY)).into()
}

impl Drop for Told {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or(LEFT);
        let labels = [
            ("route", self.label.clone()),
            ("outcome", outcome.to_owned()),
        ];
        metrics::counter!("usher_edge_streams_total", &labels).increment(1);
        info!(
            route = self.label,
            outcome,
            messages = self.messages,
            seconds = self.watch.elapsed().as_secs_f64(),
            request_id = self.request_id,
            "stream {} {}",
            self.label,
            outcome
        );
    }
}
