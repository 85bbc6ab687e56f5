//! What can go wrong on purpose. A fault is armed for an order, sent with one request in a header, or drawn by a seeded rate; each
//! fires as often as it was told and is then over.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

mod plan;
mod rates;
mod spec;

pub(crate) use plan::Plan;
pub use rates::{Rates, RatesError};
pub(crate) use spec::FaultSpec;

/// Faults armed for one order, spent ones included, so that the oracle can show them.
const FAULTS_MAX: usize = 64;

/// The request a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    Confirm,
    Inquire,
    Cancel,
}

/// Whether the request had its effect when it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    Before,
    After,
}

/// How an answer breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The connection is reset (RST) without an answer.
    Reset,
    /// The connection is closed (FIN) without an answer.
    Close,
    /// HTTP 500 FAILED_INTERNAL_SYSTEM_PROCESSING.
    ServerError,
    /// HTTP 400 PROVIDER_ERROR, which at Toss is a temporary fault.
    ProviderError,
    /// HTTP 409 IDEMPOTENT_REQUEST_PROCESSING.
    InProgress,
    /// HTTP 200 with a page that is not JSON.
    Garbage,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request or its answer takes this long.
    Latency { when: When, time: Duration },
    /// The answer breaks.
    Break { when: When, how: Break },
    /// Another amount is captured than was asked.
    WrongAmount { amount: i64 },
    /// A cancel is refused.
    RefuseCancel,
    /// An inquiry finds nothing, once or for this long from the first.
    Absent { span: Option<Duration> },
    /// An inquiry sees the payment before its last change, once or for this long from the first.
    Stale { span: Option<Duration> },
}

impl Fault {
    /// Whether it is about the content of an answer rather than its transport.
    pub(crate) fn is_twist(&self) -> bool {
        !matches!(self, Self::Latency { .. } | Self::Break { .. })
    }

    fn span(&self) -> Option<Duration> {
        match self {
            Self::Absent { span } | Self::Stale { span } => *span,
            Self::Latency { .. }
            | Self::Break { .. }
            | Self::WrongAmount { .. }
            | Self::RefuseCancel => None,
        }
    }
}

/// A fault that waits for its request.
#[derive(Clone, Debug)]
struct Armed {
    spec: FaultSpec,
    fault: Fault,
    left: u32,
    fired: u32,
    until: Option<Instant>,
}

/// What the oracle shows of a fault.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FaultView {
    #[serde(flatten)]
    spec: FaultSpec,
    /// How often it fired.
    fired: u32,
}

/// The faults of one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
}

impl Faults {
    /// How many more faults can be armed.
    pub(crate) fn room(&self) -> usize {
        FAULTS_MAX.saturating_sub(self.armed.len())
    }

    /// Arms a fault; the caller has looked for room.
    pub(crate) fn arm(&mut self, spec: FaultSpec, fault: Fault) {
        self.armed.push(Armed {
            left: spec.count(),
            spec,
            fault,
            fired: 0,
            until: None,
        });
    }

    /// Every fault of the order and how often it fired.
    pub(crate) fn view(&self) -> Vec<FaultView> {
        self.armed
            .iter()
            .map(|armed| FaultView {
                spec: armed.spec.clone(),
                fired: armed.fired,
            })
            .collect()
    }

    /// Fires the first fault about the content of an answer. One with a span is one firing, however many requests fall into it.
    pub(crate) fn take_twist(&mut self, on: Operation, now: Instant) -> Option<Fault> {
        let open = self
            .armed
            .iter()
            .find(|armed| armed.spec.on() == on && armed.until.is_some_and(|until| now < until));
        if let Some(armed) = open {
            return Some(armed.fault.clone());
        }
        let armed = self
            .armed
            .iter_mut()
            .find(|armed| armed.left > 0 && armed.spec.on() == on && armed.fault.is_twist())?;
        armed.until = armed.fault.span().map(|span| now + span);
        armed.left -= 1;
        armed.fired += 1;
        Some(armed.fault.clone())
    }

    /// Fires the first fault about the transport that `wanted` picks.
    fn take(&mut self, on: Operation, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let armed = self
            .armed
            .iter_mut()
            .find(|armed| armed.left > 0 && armed.spec.on() == on && wanted(&armed.fault))?;
        armed.left -= 1;
        armed.fired += 1;
        Some(armed.fault.clone())
    }
}
