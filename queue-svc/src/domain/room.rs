//! A room: its plan, what was ordered, and what it does at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::draw::Draw;
use super::lottery::Seed;
use super::plan::{LineOrder, Plan};
use super::settings::{Mode, Settings};

/// How long a pass is good. Short, because nothing takes back a pass that is out: whatever ends a session frees its slot after this time.
pub const PASS: Duration = Duration::from_secs(60);
/// Bound on the difference between the clock of Redis, which dates passes, and one that checks them; NTP keeps clocks far closer.
pub const SKEW: Duration = Duration::from_secs(2);
/// How long nobody is admitted after a loss: until every pass that may be out has ended everywhere.
pub const HOLD: Duration = Duration::from_secs(64);

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
    /// Owner of the show, where it is known.
    pub seller_id: Option<Uuid>,
    /// Everything is sold.
    pub sold_out: bool,
    /// Whether others were told that it opened.
    pub opening_told: bool,
    /// Whether people may have joined, so that who comes first cannot be changed any more.
    pub order_fixed: bool,
    /// What decides the draw of a lottery.
    pub seed: Option<Seed>,
    /// The draw, once it began.
    pub draw: Option<Draw>,
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

/// Why a plan cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Blocked {
    /// See [`Closed`].
    #[error(transparent)]
    Closed(#[from] Closed),
    /// People joined under the other rule.
    #[error("people have joined under the order that was told to them")]
    OrderFixed,
}

impl Room {
    /// A new room.
    #[must_use]
    pub fn new(show_id: Uuid, seller_id: Option<Uuid>, plan: Plan) -> Self {
        Self {
            show_id,
            buckets: plan.buckets(),
            plan,
            state: State::Scheduled,
            paused: false,
            epoch: 1,
            generation: 0,
            version: 1,
            seller_id,
            sold_out: false,
            opening_told: false,
            order_fixed: false,
            seed: None,
            draw: None,
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

    /// With what decides its draw, if it needs that and has none.
    #[must_use]
    pub fn seeded(self, seed: Seed) -> Self {
        let missing = self.plan.order == LineOrder::Lottery && self.seed.is_none();
        Self {
            seed: if missing { Some(seed) } else { self.seed },
            ..self
        }
    }

    /// Whether people who join now enter a draw.
    #[must_use]
    pub fn is_entered(&self, now: DateTime<Utc>) -> bool {
        self.plan.order == LineOrder::Lottery
            && !self.is_drawn()
            && self.phase(now) != Phase::Closed
    }

    /// Whether its entries have to get their places at `now`. A draw that began is finished whatever is ordered meanwhile: whoever joined in
    /// between would be neither an entry nor behind them.
    #[must_use]
    pub fn is_drawing(&self, now: DateTime<Utc>) -> bool {
        let due = matches!(self.phase(now), Phase::Open | Phase::Draining);
        self.is_entered(now) && (due || self.draw.is_some())
    }

    fn is_drawn(&self) -> bool {
        self.draw.is_some_and(|draw| draw.done)
    }

    /// What its line does at `now`.
    #[must_use]
    pub fn mode(&self, now: DateTime<Utc>) -> Mode {
        if self.is_drawing(now) {
            return Mode::Drawing;
        }
        match self.phase(now) {
            // An operator may have put off a room that people had joined already: they keep what they have.
            Phase::NotYetOpen => Mode::Still,
            Phase::Armed => Mode::Armed,
            // Who is in line keeps the place for what is returned.
            Phase::Open if self.sold_out => Mode::Paused,
            Phase::Open => Mode::Open,
            Phase::Paused if self.state == State::Draining => Mode::Still,
            Phase::Paused => Mode::Paused,
            Phase::Draining if self.sold_out => Mode::Still,
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
                room.seed = None;
                room.draw = None;
                room.order_fixed = false;
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

    /// The room after it was heard whether everything of its show is sold.
    #[must_use]
    pub fn heard(&self, sold_out: bool) -> Self {
        let mut room = self.clone();
        if room.sold_out != sold_out {
            room.sold_out = sold_out;
            room.version += 1;
        }
        room
    }

    /// The room after its draw.
    #[must_use]
    pub fn drawn(&self) -> Self {
        let mut room = self.clone();
        if let Some(draw) = &mut room.draw
            && !draw.done
        {
            draw.done = true;
            room.version += 1;
        }
        room
    }

    /// The room with another plan.
    pub fn planned(&self, plan: Plan, now: DateTime<Utc>) -> Result<Self, Blocked> {
        if self.state == State::Closed {
            return Err(Closed.into());
        }
        // Also when the room is put off afterwards: people have joined under the order that they were told.
        let order_fixed = self.order_fixed || self.phase(now) != Phase::NotYetOpen;
        if plan.order != self.plan.order && order_fixed {
            return Err(Blocked::OrderFixed);
        }
        let mut room = self.clone();
        if room.plan != plan {
            room.order_fixed = order_fixed;
            room.plan = plan;
            room.version += 1;
        }
        Ok(room)
    }
}

#[cfg(test)]
mod tests;
