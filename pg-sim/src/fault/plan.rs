//! What breaks in one request: decided before it is handled, so that a fault before the effect hides every later one.

use std::time::Duration;

use super::{Break, Fault, Operation, Rates, When};
use crate::book::Book;

/// The transport faults of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) latency_before: Option<Duration>,
    pub(crate) break_before: Option<Break>,
    pub(crate) latency_after: Option<Duration>,
    pub(crate) break_after: Option<Break>,
}

impl Plan {
    /// Counts the request and fires what applies to it: the header's fault first, then the order's, then the rates'.
    pub(crate) fn draw(
        book: &mut Book,
        rates: &Rates,
        on: Operation,
        order_id: Option<&str>,
        header: Option<&Fault>,
    ) -> Self {
        let mut order = order_id.and_then(|id| book.order_mut(id));
        let nth = order.as_mut().map(|order| order.count(on));
        let mut fire = |wanted: &dyn Fn(&Fault) -> bool| {
            let sent = header.filter(|fault| wanted(fault)).cloned();
            let sent = sent.or_else(|| {
                order
                    .as_mut()
                    .and_then(|order| order.faults.take(on, wanted))
            });
            let drawn = || rates.draw(on, order_id.unwrap_or_default(), nth?, wanted);
            sent.or_else(drawn)
        };
        let mut latency =
            |at| match fire(&|fault| matches!(fault, Fault::Latency { when, .. } if *when == at)) {
                Some(Fault::Latency { time, .. }) => Some(time),
                _ => None,
            };
        let latency_before = latency(When::Before);
        let mut broken =
            |at| match fire(&|fault| matches!(fault, Fault::Break { when, .. } if *when == at)) {
                Some(Fault::Break { how, .. }) => Some(how),
                _ => None,
            };
        let break_before = broken(When::Before);
        if break_before.is_some() {
            return Self {
                latency_before,
                break_before,
                ..Self::default()
            };
        }
        let break_after = broken(When::After);
        let latency_after = match fire(&|fault| {
            matches!(
                fault,
                Fault::Latency {
                    when: When::After,
                    ..
                }
            )
        }) {
            Some(Fault::Latency { time, .. }) => Some(time),
            _ => None,
        };
        Self {
            latency_before,
            break_before,
            latency_after,
            break_after,
        }
    }
}
