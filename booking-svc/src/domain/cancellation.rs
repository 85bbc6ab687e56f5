//! Lines of a confirmed booking that are given back.
//!
//! Each line is paid back once, its price without what coupons took off it, so that whatever is cancelled in whatever order adds up to what
//! was paid. A coupon returns with the last of the lines that it was used for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mesh::money::Money;
use thiserror::Error;
use uuid::Uuid;

use super::booking::{Booking, BookingLine, BookingState};
use super::hold::UnitKey;

/// What is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// Lines and what of each goes back to the buyer, in minor units.
    pub lines: BTreeMap<i32, i64>,
    /// Their units.
    pub units: BTreeSet<UnitKey>,
    /// What goes back to the buyer.
    pub refund: Money,
    /// Coupons of which no line is left.
    pub coupons: Vec<Uuid>,
    /// Whether no line of the booking is left.
    pub whole: bool,
}

/// Where the money of a cancellation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancellationState {
    /// On its way back.
    Refunding,
    /// Back with its buyer, or nothing was paid.
    Done,
    /// payment-svc cannot return it; an operator looks after it.
    Parked,
}

impl CancellationState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Refunding, Self::Done, Self::Parked];

    /// State in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refunding => "REFUNDING",
            Self::Done => "DONE",
            Self::Parked => "PARKED",
        }
    }
}

/// A cancellation that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCancellation {
    /// Id; the refund's at payment-svc, too.
    pub cancellation_id: Uuid,
    /// Numbers of its lines.
    pub lines: Vec<i32>,
    /// What goes back to the buyer.
    pub refund: Money,
    /// Where the money stands.
    pub state: CancellationState,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When the money was back.
    pub finish_time: Option<DateTime<Utc>>,
}

/// Why a line is not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineProblem {
    /// The booking has no such line.
    Unknown,
    /// It is cancelled already.
    Cancelled,
    /// Its performance has begun.
    Started,
}

impl LineProblem {
    /// Name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Cancelled => "CANCELLED",
            Self::Started => "STARTED",
        }
    }
}

/// Why nothing is cancelled.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CancelRefusal {
    /// No such booking of this caller.
    #[error("the booking does not exist")]
    NotFound,
    /// It neither waits for its buyer nor is it confirmed.
    #[error("the booking is {}", .0.name())]
    NotCancellable(BookingState),
    /// Lines were named of a booking that is not confirmed: it can only be abandoned whole.
    #[error("an unpaid booking is abandoned whole")]
    LinesOfUnpaid,
    /// These lines cannot be given back.
    #[error("{} of the lines cannot be cancelled", .0.len())]
    Lines(BTreeMap<i32, LineProblem>),
    /// The id came before with another body.
    #[error("the request_id was used for another request")]
    RequestIdReused,
    /// The first call still runs.
    #[error("the first call with this request_id still runs")]
    RequestInProgress,
}

/// Gives lines of `booking` back at `now`; none named: all that are left. `starts`: when its performances begin.
pub fn cancel(
    booking: &Booking,
    named: &BTreeSet<i32>,
    starts: &BTreeMap<Uuid, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Cancellation, CancelRefusal> {
    if booking.state != BookingState::Confirmed {
        return Err(CancelRefusal::NotCancellable(booking.state));
    }
    let left = |line: &&BookingLine| line.refund.is_none();
    let wanted: BTreeSet<i32> = if named.is_empty() {
        let lines = booking.lines.iter().filter(left);
        lines.map(|line| line.line_no).collect()
    } else {
        named.clone()
    };
    if wanted.is_empty() {
        return Err(CancelRefusal::NotCancellable(BookingState::Cancelled));
    }
    let problem = |line_no: &i32| {
        let line = booking.lines.iter().find(|line| line.line_no == *line_no);
        let problem = match line {
            None => LineProblem::Unknown,
            Some(line) if line.refund.is_some() => LineProblem::Cancelled,
            Some(line) if starts.get(&line.performance_id).is_some_and(|it| *it > now) => {
                return None;
            }
            Some(_) => LineProblem::Started,
        };
        Some((*line_no, problem))
    };
    let problems: BTreeMap<i32, LineProblem> = wanted.iter().filter_map(problem).collect();
    if !problems.is_empty() {
        return Err(CancelRefusal::Lines(problems));
    }
    let is_wanted = |line: &&BookingLine| wanted.contains(&line.line_no);
    let lines: BTreeMap<i32, i64> = booking
        .lines
        .iter()
        .filter(is_wanted)
        .map(|line| (line.line_no, paid(booking, line)))
        .collect();
    let remains = booking.lines.iter().filter(left);
    let remains = remains.filter(|line| !wanted.contains(&line.line_no));
    let remains: BTreeSet<i32> = remains.map(|line| line.line_no).collect();
    let coupons = booking.discounts.iter().filter(|discount| {
        let mut parts = discount.parts.iter().map(|part| part.line_no);
        let touched = discount
            .parts
            .iter()
            .any(|part| wanted.contains(&part.line_no));
        touched && !parts.any(|line_no| remains.contains(&line_no))
    });
    Ok(Cancellation {
        refund: Money::new(lines.values().sum(), booking.total.currency),
        units: booking
            .lines
            .iter()
            .filter(is_wanted)
            .map(|line| line.unit)
            .collect(),
        coupons: coupons.map(|discount| discount.coupon_id).collect(),
        whole: remains.is_empty(),
        lines,
    })
}

/// What was paid for a line, in minor units.
fn paid(booking: &Booking, line: &BookingLine) -> i64 {
    let price = line
        .unit_price
        .minor_units
        .saturating_mul(i64::from(line.quantity));
    price - booking.discount_of(line).0.minor_units
}

#[cfg(test)]
mod tests;
