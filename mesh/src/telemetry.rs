//! Logs, metrics and traces: one JSON line an event on standard error, Prometheus text on the admin listener, spans to an OTLP endpoint
//! where there is one.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    self, BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanProcessor,
};
use thiserror::Error;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::trace::Exporter;

/// Bounds of every `_seconds` histogram: from a cache hit to a call that takes its whole deadline.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Spans wait this long for others before they leave together.
const SPANS_TOGETHER: Duration = Duration::from_secs(1);
/// Time for the last spans when the process stops.
const SPANS_LAST: Duration = Duration::from_secs(5);

/// Where traces go: a collector that speaks OTLP over gRPC, `http://collector:4317`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint(String);

/// A text that is no such address.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("is not an address such as http://127.0.0.1:4317")]
pub struct NotAnEndpoint;

impl FromStr for OtlpEndpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let uri: http::Uri = text.parse().map_err(|_| NotAnEndpoint)?;
        let known = uri.scheme_str() == Some("http") && uri.port().is_some();
        match known && ["", "/"].contains(&uri.path()) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAnEndpoint),
        }
    }
}

/// What a process tells of itself, and where.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'c> {
    /// Log filter.
    pub log: &'c str,
    /// Where traces go; nowhere without it.
    pub otlp: Option<&'c OtlpEndpoint>,
}

/// Why telemetry could not start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log filter is not one.
    #[error("the log filter is wrong")]
    Filter(#[from] ParseError),
    /// There is one already.
    #[error("logging is set up twice")]
    Twice(#[from] TryInitError),
    /// The metrics recorder failed.
    #[error("metrics cannot be recorded")]
    Metrics(#[from] BuildError),
    /// The exporter of traces failed.
    #[error("traces cannot be sent")]
    Traces(#[from] ExporterBuildError),
}

/// The telemetry of a process; the admin listener renders its metrics.
#[derive(Clone)]
pub struct Telemetry {
    metrics: PrometheusHandle,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Starts logging by `filter` (the syntax of `RUST_LOG`) and recording metrics. Once a process.
    pub fn start(filter: &str) -> Result<Self, TelemetryError> {
        let json = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .with_writer(std::io::stderr);
        tracing_subscriber::registry()
            .with(EnvFilter::try_new(filter)?)
            .with(json)
            .try_init()?;
        let metrics = recorder()?.install_recorder()?;
        Ok(Self { metrics })
    }

    /// Metrics that nobody else sees and no logging, for a process that holds several services: tests.
    pub fn detached() -> Result<Self, TelemetryError> {
        Ok(Self {
            metrics: recorder()?.build_recorder().handle(),
        })
    }

    /// Sends the spans of this process, which is called `service`, to `endpoint` from now on. Once a process, inside the runtime. A
    /// collector that is away costs spans, never a request: they wait in a bounded queue of the library.
    pub(crate) fn export(
        service: &'static str,
        endpoint: &OtlpEndpoint,
    ) -> Result<Traces, TelemetryError> {
        let exporter = SpanExporter::builder().with_tonic();
        let exporter = Watched {
            exporter: exporter.with_endpoint(&endpoint.0).build()?,
            away: AtomicBool::new(false),
        };
        let batch = BatchConfigBuilder::default().with_scheduled_delay(SPANS_TOGETHER);
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batch.build());
        let mut processor = processor.build();
        processor.set_resource(&Resource::builder().with_service_name(service).build());
        Ok(Traces(Exporter::install(processor)))
    }

    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.metrics.run_upkeep();
        self.metrics.render()
    }
}

/// An exporter that tells once when its collector goes away, and once when it is back: a line a batch would be a line a second.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    away: AtomicBool,
}

impl trace::SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or_default();
        let outcome = self.exporter.export(batch).await;
        // Fewer than have ended: the rest waits, or did not fit into the queue of the library.
        if outcome.is_ok() {
            metrics::counter!("usher_spans_exported_total").increment(spans);
        }
        let was_away = self.away.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Err(error) if !was_away => {
                warn!(error = %error, "the collector of traces is away, spans are lost: {error}");
            }
            Ok(()) if was_away => info!("the collector of traces is back"),
            _ => {}
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The way of spans out of this process.
#[derive(Debug)]
pub(crate) struct Traces(&'static Exporter);

impl Traces {
    /// Sends what is left. Blocks.
    pub(crate) fn end(&self) {
        self.0.end(SPANS_LAST);
    }
}

fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
}

#[cfg(test)]
mod tests {
    use super::{NotAnEndpoint, OtlpEndpoint};

    #[test]
    fn an_endpoint_is_scheme_host_and_port() {
        for right in ["http://127.0.0.1:4317", "http://collector:4317/"] {
            assert!(right.parse::<OtlpEndpoint>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "collector:4317",
            "http://collector",
            "https://collector:4317",
            "http://collector:4317/v1/traces",
        ] {
            assert_eq!(wrong.parse::<OtlpEndpoint>(), Err(NotAnEndpoint), "{wrong}");
        }
    }
}
