//! Spans: made from the trace context, sent by the OpenTelemetry SDK.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use tracing::warn;

use super::TraceParent;
use crate::clock;

static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// Where the spans of this process go.
#[derive(Debug)]
pub(crate) struct Exporter(BatchSpanProcessor);

impl Exporter {
    /// Takes the spans of this process from now on. The first one stays.
    pub(crate) fn install(processor: BatchSpanProcessor) -> &'static Self {
        EXPORTER.get_or_init(|| Self(processor))
    }

    /// Sends what is left, for at most `limit`. Blocks.
    pub(crate) fn end(&self, limit: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(limit) {
            warn!(error = %error, "the last spans were not sent: {error}");
        }
    }
}

/// What kind of work a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request from outside of the process.
    Server,
    /// A message.
    Consumer,
    /// Work that nobody waits for.
    Internal,
}

/// One stretch of work. It ends when it is dropped.
#[derive(Debug)]
pub struct Span {
    own: TraceParent,
    parent: Option<TraceParent>,
    kind: Kind,
    name: Cow<'static, str>,
    start: DateTime<Utc>,
    attributes: Vec<KeyValue>,
    failed: Option<String>,
}

impl Span {
    /// Begins: in the trace of `parent`, or in one of its own.
    #[must_use]
    pub fn start(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        parent: Option<TraceParent>,
    ) -> Self {
        Self {
            own: parent.map_or_else(TraceParent::fresh, TraceParent::child),
            parent,
            kind,
            name: name.into(),
            start: clock::now(),
            attributes: Vec::new(),
            failed: None,
        }
    }

    /// What its work runs in ([`super::within`]) and sends on.
    #[must_use]
    pub fn context(&self) -> TraceParent {
        self.own
    }

    /// Gives it another name, once more is known.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        self.name = name.into();
    }

    /// Notes a fact; no secrets.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    /// Marks it as failed.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failed = Some(what.into());
    }

    fn data(&mut self) -> SpanData {
        let trace_id = TraceId::from_bytes(self.own.trace_id);
        let span_id = SpanId::from_bytes(self.own.span_id());
        let (flags, state) = (TraceFlags::SAMPLED, TraceState::default());
        let parent = self.parent.map(TraceParent::span_id);
        SpanData {
            span_context: SpanContext::new(trace_id, span_id, flags, false, state),
            parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from_bytes),
            parent_span_is_remote: parent.is_some(),
            span_kind: match self.kind {
                Kind::Server => SpanKind::Server,
                Kind::Consumer => SpanKind::Consumer,
                Kind::Internal => SpanKind::Internal,
            },
            name: std::mem::take(&mut self.name),
            start_time: self.start.into(),
            end_time: clock::now().into(),
            attributes: std::mem::take(&mut self.attributes),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match self.failed.take() {
                Some(what) => Status::error(what),
                None => Status::Unset,
            },
            instrumentation_scope: InstrumentationScope::builder("usher").build(),
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(exporter) = EXPORTER.get().filter(|_| self.own.is_sampled()) {
            metrics::counter!("usher_spans_ended_total").increment(1);
            let data = self.data();
            exporter.0.on_end(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_the_child_of_its_parent() {
        let parent = Span::start(Kind::Server, "a", None);
        let mut child = Span::start(Kind::Internal, "b", Some(parent.context()));
        child.set("k", "v");
        child.fail("as the test asked");
        assert_eq!(child.context().trace_id(), parent.context().trace_id());
        let data = child.data();
        assert_eq!(data.parent_span_id.to_bytes(), parent.context().span_id());
        assert_ne!(data.span_context.span_id(), data.parent_span_id);
        assert_eq!((data.name.as_ref(), data.attributes.len()), ("b", 1));
        assert_eq!(data.status, Status::error("as the test asked"));
        let root = Span::start(Kind::Server, "c", None).data();
        assert_eq!(root.parent_span_id, SpanId::INVALID);
    }

    #[test]
    fn whoever_begins_a_trace_decides_whether_it_is_recorded() {
        let quiet = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let span = Span::start(Kind::Server, "a", quiet.parse().ok());
        assert!(!span.context().is_sampled());
        assert!(Span::start(Kind::Server, "a", None).context().is_sampled());
    }
}
