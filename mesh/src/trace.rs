//! W3C trace context (traceparent): read at the door, carried by every task, sent with every call and message.
//!
//! A [`Span`] is one stretch of work in a trace. What it calls and publishes names it as its parent; where the process has an endpoint for
//! traces ([`crate::telemetry`]), it is sent there when it ends.

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use crate::random;

mod span;

pub(crate) use span::Exporter;
pub use span::{Kind, Span};

/// Header and metadata key.
pub const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    static CURRENT: Option<TraceParent>;
}

/// Version 00 of the W3C trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

/// A text that is not a traceparent; the call starts a trace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATraceParent;

impl TraceParent {
    /// Starts a trace.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            trace_id: random::bytes(),
            parent_id: random::bytes(),
            flags: 1,
        }
    }

    /// The same trace with a new span in it.
    #[must_use]
    fn child(self) -> Self {
        Self {
            parent_id: random::bytes(),
            ..self
        }
    }

    /// The same, to be recorded whatever was asked: callers from outside do not decide about our traces.
    #[must_use]
    pub fn recorded(self) -> Self {
        Self {
            flags: self.flags | 1,
            ..self
        }
    }

    /// The id of the span that this names.
    fn span_id(self) -> [u8; 8] {
        self.parent_id
    }

    /// Whether whoever began the trace wants it recorded.
    fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }

    /// The trace id in hexadecimal, for log lines.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, parent) = (hex(&self.trace_id), hex(&self.parent_id));
        write!(formatter, "00-{trace}-{parent}-{:02x}", self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(NotATraceParent);
        let (version, trace, parent, flags) = (next()?, next()?, next()?, next()?);
        let [version] = bytes::<1>(version)?;
        let read = Self {
            trace_id: bytes(trace)?,
            parent_id: bytes(parent)?,
            flags: bytes::<1>(flags)?[0],
        };
        // The standard: ff is no version, version 00 has four parts, and ids of zeros are invalid.
        let longer = parts.next().is_some();
        if version == 0xff
            || (version == 0 && longer)
            || read.trace_id == [0; 16]
            || read.parent_id == [0; 8]
        {
            return Err(NotATraceParent);
        }
        Ok(read)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], NotATraceParent> {
    let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if text.len() != 2 * N || !text.as_bytes().iter().all(lower) {
        return Err(NotATraceParent);
    }
    let mut read = [0; N];
    for (index, byte) in read.iter_mut().enumerate() {
        let digits = &text[2 * index..2 * index + 2];
        *byte = u8::from_str_radix(digits, 16).map_err(|_| NotATraceParent)?;
    }
    Ok(read)
}

/// The trace of the present task, if it has one.
#[must_use]
pub fn current() -> Option<TraceParent> {
    CURRENT.try_with(|trace| *trace).ok().flatten()
}

/// Runs `work` inside `trace`. [`crate::tasks`] hands it on to what `work` spawns.
pub async fn within<F: Future>(trace: Option<TraceParent>, work: F) -> F::Output {
    CURRENT.scope(trace, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_example_round_trips() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace: TraceParent = text.parse().unwrap();
        assert_eq!(trace.to_string(), text);
        assert_eq!(trace.child().trace_id(), trace.trace_id());
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c8031-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-01",
        ] {
            assert_eq!(
                wrong.parse::<TraceParent>(),
                Err(NotATraceParent),
                "{wrong}"
            );
        }
    }

    #[tokio::test]
    async fn a_spawned_task_stays_in_its_trace() {
        let (trace, tasks) = (TraceParent::fresh(), crate::tasks::Tasks::new());
        let seen = within(Some(trace), async {
            tasks.run("inner", async { current() }).await
        });
        assert_eq!(seen.await.unwrap(), Some(trace));
        assert_eq!(current(), None);
    }
}
