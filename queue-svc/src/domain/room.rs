//! What an operator decides about a room, and what the room does at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::settings::{Mode, Settings};

/// How long a pass is good. Short, because nothing takes back a pass that is out: whatever ends a session frees its slot after this time.
pub const PASS: Duration = Duration::from_secs(60);
/// Bound on the difference between the clock of Redis, which dates passes, and one that checks them; NTP keeps clocks far closer.
pub const SKEW: Duration = Duration::from_secs(2);
/// How long nobody is admitted after a loss: until every pass that may be out has ended everywhere.
pub const HOLD: Duration = Duration::from_secs(64);
/// Slots of a room: a sorted set of more is no small one any more.
pub const CAPACITY_MAX: u32 = 1_000_000;
/// Admissions a second: the ceiling of one Redis core.
pub const RATE_MAX: u32 = 100_000;
/// People in a line: 250 MB of Redis.
pub const WAITING_MAX: u32 = 10_000_000;
/// Share of a lane.
pub const WEIGHT_MAX: u32 = 100;
/// Accounts in a bucket, on average: packed, and found by a short search.
const BUCKET_ACCOUNTS: u32 = 100;
/// A small room needs no more buckets than this, a large one no fewer.
const BUCKETS_MIN: u32 = 64;

/// What was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The times decide.
    Scheduled,
    /// Open, whatever the times said.
    Open,
    /// Nobody joins any more.
    Draining,
    /// Over.
    Closed,
}

/// What a room does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody joins yet.
    NotYetOpen,
    /// People join; nobody is admitted yet.
    Armed,
    /// People join and are admitted.
    Open,
    /// People join; nobody is admitted for now.
    Paused,
    /// Who is in line is admitted.
    Draining,
    /// Over.
    Closed,
}

impl Phase {
    /// Phases of one version of a room follow each other in this order as time goes by.
    const fn order(self) -> u64 {
        match self {
            Self::NotYetOpen => 0,
            Self::Armed => 1,
            Self::Open | Self::Paused => 2,
            Self::Draining => 3,
            Self::Closed => 4,
        }
    }
}

/// Number of values of [`Phase::order`].
const ORDERS: u64 = 5;

/// What an operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Offers and passes at once.
    pub capacity: u32,
    /// Admissions a second.
    pub rate: u32,
    /// Admissions at once after a pause.
    pub burst: u32,
    /// How long an offer stands.
    pub offer: Duration,
    /// How long passes are renewed.
    pub session: Duration,
    /// How long a missed turn is kept.
    pub grace: Duration,
    /// Shortest period of heartbeats.
    pub silence: Duration,
    /// People in line at once.
    pub waiting_max: u32,
    /// Shares of general, presale, access and late.
    pub weights: [u32; 4],
    /// People join from then on.
    pub arm_time: Option<DateTime<Utc>>,
    /// Admission starts.
    pub open_time: Option<DateTime<Utc>>,
    /// The room closes.
    pub close_time: Option<DateTime<Utc>>,
}

impl Plan {
    /// Buckets of accounts for a room of this size.
    #[must_use]
    pub fn buckets(&self) -> u32 {
        (self.waiting_max / BUCKET_ACCOUNTS).max(BUCKETS_MIN)
    }

    /// Every limit that is broken: the field and the remedy.
    #[must_use]
    pub fn broken(&self) -> Vec<(&'static str, String)> {
        let mut broken = Vec::new();
        let counts = [
            ("capacity", self.capacity, CAPACITY_MAX),
            ("rate", self.rate, RATE_MAX),
            ("burst", self.burst, RATE_MAX),
            ("waiting_max", self.waiting_max, WAITING_MAX),
        ];
        for (field, value, max) in counts {
            if !(1..=max).contains(&value) {
                broken.push((field, format!("must be 1..{max}")));
            }
        }
        let times = [
            ("offer_duration", self.offer, 10, 600),
            ("session_duration", self.session, 60, 14_400),
            ("grace_duration", self.grace, 0, 3_600),
            ("silence_duration", self.silence, 60, 600),
        ];
        for (field, value, min, max) in times {
            if value.subsec_nanos() != 0 || !(min..=max).contains(&value.as_secs()) {
                broken.push((field, format!("must be {min}..{max} whole seconds")));
            }
        }
        if self
            .weights
            .iter()
            .any(|weight| !(1..=WEIGHT_MAX).contains(weight))
        {
            broken.push(("weights", format!("each must be 1..{WEIGHT_MAX}")));
        }
        if self.arm_time.is_some() && self.open_time.is_none() {
            broken.push(("open_time", "set it when arm_time is set".to_owned()));
        }
        if self.arm_time > self.open_time && self.open_time.is_some() {
            broken.push(("arm_time", "must not be after open_time".to_owned()));
        }
        if self
            .close_time
            .is_some_and(|close| self.open_time.is_some_and(|open| close <= open))
        {
            broken.push(("close_time", "must be after open_time".to_owned()));
        }
        broken
    }
}

/// A waiting room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Show.
    pub show_id: Uuid,
    /// What was decided.
    pub plan: Plan,
    /// What was ordered.
    pub state: State,
    /// Whether admission was stopped.
    pub paused: bool,
    /// Tickets of older ones are void.
    pub epoch: u64,
    /// Counted up before the line is set up on another Redis; 0: never set up.
    pub generation: u64,
    /// Counted up by every change.
    pub version: u64,
    /// Buckets of accounts.
    pub buckets: u32,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Admit from now on.
    Open,
    /// Stop admission for now.
    Pause,
    /// Go on.
    Resume,
    /// Let nobody join any more.
    Drain,
    /// End it.
    Close,
    /// Void every ticket.
    Flush,
    /// Another rate.
    SetRate(u32),
    /// Another capacity.
    SetCapacity(u32),
}

/// A room that is closed stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the room is closed")]
pub struct Closed;

impl Room {
    /// A new room.
    #[must_use]
    pub fn new(show_id: Uuid, plan: Plan) -> Self {
        Self {
            show_id,
            buckets: plan.buckets(),
            plan,
            state: State::Scheduled,
            paused: false,
            epoch: 1,
            generation: 0,
            version: 1,
        }
    }

    /// What it does at `now`.
    #[must_use]
    pub fn phase(&self, now: DateTime<Utc>) -> Phase {
        let due = |time: Option<DateTime<Utc>>| time.is_some_and(|time| time <= now);
        if self.state == State::Closed || due(self.plan.close_time) {
            return Phase::Closed;
        }
        match self.state {
            State::Draining if self.paused => Phase::Paused,
            State::Draining => Phase::Draining,
            _ if self.state == State::Open || due(self.plan.open_time) => {
                if self.paused {
                    Phase::Paused
                } else {
                    Phase::Open
                }
            }
            _ if due(self.plan.arm_time) => Phase::Armed,
            _ => Phase::NotYetOpen,
        }
    }

    /// What its line does at `now`.
    #[must_use]
    pub fn mode(&self, now: DateTime<Utc>) -> Mode {
        match self.phase(now) {
            // An operator may have put off a room that people had joined already: they keep what they have.
            Phase::NotYetOpen => Mode::Still,
            Phase::Armed => Mode::Armed,
            Phase::Open => Mode::Open,
            Phase::Paused if self.state == State::Draining => Mode::Still,
            Phase::Paused => Mode::Paused,
            Phase::Draining => Mode::Drain,
            Phase::Closed => Mode::Closed,
        }
    }

    /// What the line goes by at `now`. Its version grows with time within one version of the room.
    #[must_use]
    pub fn settings(&self, now: DateTime<Utc>) -> Settings {
        Settings {
            version: self.version * ORDERS + self.phase(now).order(),
            mode: self.mode(now),
            capacity: self.plan.capacity,
            rate: self.plan.rate,
            burst: self.plan.burst,
            offer: self.plan.offer,
            pass: PASS,
            skew: SKEW,
            session: self.plan.session,
            grace: self.plan.grace,
            weights: self.plan.weights,
        }
    }

    /// The room after an order; one that changes nothing leaves the version.
    pub fn ordered(&self, order: Order) -> Result<Self, Closed> {
        let mut room = self.clone();
        match order {
            Order::Close => room.state = State::Closed,
            _ if self.state == State::Closed => return Err(Closed),
            Order::Open => {
                room.state = State::Open;
                room.paused = false;
            }
            Order::Pause => room.paused = true,
            Order::Resume => room.paused = false,
            Order::Drain => room.state = State::Draining,
            Order::Flush => {
                room.epoch += 1;
                room.buckets = room.plan.buckets();
            }
            Order::SetRate(rate) => {
                // A burst that followed the rate follows it further.
                if room.plan.burst == room.plan.rate {
                    room.plan.burst = rate;
                }
                room.plan.rate = rate;
            }
            Order::SetCapacity(capacity) => room.plan.capacity = capacity,
        }
        if room != *self {
            room.version += 1;
        }
        Ok(room)
    }

    /// The room with another plan.
    pub fn planned(&self, plan: Plan) -> Result<Self, Closed> {
        if self.state == State::Closed {
            return Err(Closed);
        }
        let mut room = self.clone();
        if room.plan != plan {
            room.plan = plan;
            room.version += 1;
        }
        Ok(room)
    }
}

#[cfg(test)]
mod tests;
