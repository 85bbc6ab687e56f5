//! Logs and metrics: one JSON line an event on standard error, Prometheus text on the admin listener.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Bounds of every `_seconds` histogram: from a cache hit to a call that takes its whole deadline.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

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

    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.metrics.run_upkeep();
        self.metrics.render()
    }
}

fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
}
