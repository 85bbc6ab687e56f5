//! Who gets a unit: decided here, one command after the other, on a snapshot that the caller has locked.
//!
//! [`decide`] looks and changes nothing; [`Snapshot::apply`] carries a [`Change`] out on the snapshot, so that the next command of the
//! same batch sees it. Rows are written afterwards, once for the whole batch. The database's constraints have the last word.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::money::{Currency, Money};
use thiserror::Error;
use uuid::Uuid;

use super::hold::{ClaimState, Hold, HoldState, UnitKey};

mod decide;
mod level;
mod pass;

pub use decide::decide;
pub use level::{GradeLevel, Passed, PoolLevel};
pub use pass::{Pass, Place};

/// The rules of a show's sale.
#[derive(Clone, Debug)]
pub struct ShowRules {
    /// Whether buyers see it.
    pub published: bool,
    /// First instant of the sale.
    pub sale_open_time: DateTime<Utc>,
    /// End of the sale.
    pub sale_close_time: DateTime<Utc>,
    /// Most units one buyer may have.
    pub units_per_buyer_max: i32,
    /// Life of a hold.
    pub hold_ttl: Duration,
    /// How much longer it can be kept alive, payments included.
    pub beyond_ttl: Duration,
    /// Currency of its prices.
    pub currency: Currency,
    /// Whether only those are served who were let in by the waiting room.
    pub queue_required: bool,
}

/// What a pool sells.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Show.
    pub show_id: Uuid,
    /// Start of the performance; nothing is held from then on.
    pub start_time: DateTime<Utc>,
    /// Places sold, over all of its units.
    pub sold: i64,
    /// Holds that were sold, with a line in it.
    pub sales: i64,
}

/// The counters of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Grade.
    pub grade: String,
    /// Whether it is a seat.
    pub exclusive: bool,
    /// Places that may be held or sold: capacity and overbooking without the blocked ones.
    pub room: i32,
    /// Places held.
    pub held: i32,
    /// Places sold.
    pub sold: i32,
    /// Price of one place.
    pub price: Money,
}

impl Unit {
    /// Places that can be held now.
    #[must_use]
    pub fn available(&self) -> i32 {
        self.room
            .saturating_sub(self.held)
            .saturating_sub(self.sold)
            .max(0)
    }

    /// How gone it is when nothing is available.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.held > 0 {
            Level::HeldOut
        } else {
            Level::SoldOut
        }
    }
}

/// Why a unit cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Others hold it: it may come back.
    HeldOut,
    /// It is sold or blocked.
    SoldOut,
}

impl Level {
    /// Name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "HELD_OUT",
            Self::SoldOut => "SOLD_OUT",
        }
    }
}

/// What one buyer has of one show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Units held or sold.
    pub taken: i32,
    /// Most units.
    pub taken_max: i32,
}

/// A show and a buyer.
pub type CapKey = (Uuid, String);

/// Everything a batch of commands can touch, as it was when the locks were taken.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Shows of the pools.
    pub shows: BTreeMap<Uuid, ShowRules>,
    /// Pools of the commands and of the holds they name.
    pub pools: BTreeMap<Uuid, Pool>,
    /// Units of the commands and of the holds they name.
    pub units: BTreeMap<UnitKey, Unit>,
    /// Holds the commands name, as far as they exist.
    pub holds: BTreeMap<Uuid, Hold>,
    /// Caps of the buyers; absent means that nothing is taken yet.
    pub caps: BTreeMap<CapKey, Cap>,
    /// Places of the commands' strict passes that got their hold already.
    pub burned: BTreeSet<Place>,
}

/// A wish to hold places of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The unit.
    pub unit: UnitKey,
    /// Places, at least 1.
    pub quantity: i32,
}

/// A request to hold units.
#[derive(Clone, Debug)]
pub struct HoldUnits {
    /// The request_id.
    pub hold_id: Uuid,
    /// The caller.
    pub account_id: Uuid,
    /// Person the caps count.
    pub buyer_reference: Option<String>,
    /// Fingerprint of the request.
    pub request_hash: Vec<u8>,
    /// What is wanted, no unit twice.
    pub wishes: Vec<Wish>,
    /// Passes by which waiting rooms let the caller in.
    pub admitted: BTreeSet<Pass>,
}

/// A command to the inventory. Every change of a counter is one.
#[derive(Clone, Debug)]
pub enum Command {
    /// Hold all or nothing.
    Hold(HoldUnits),
    /// Its buyer gives a hold back.
    Release {
        /// The hold.
        hold_id: Uuid,
        /// The caller.
        account_id: Uuid,
    },
    /// Reclaim a hold whose time is up.
    Expire {
        /// The hold.
        hold_id: Uuid,
    },
    /// A saga sells what it pinned.
    Confirm {
        /// The hold.
        hold_id: Uuid,
    },
    /// Units that were sold are given back: lines of a booking were cancelled.
    Return {
        /// The hold.
        hold_id: Uuid,
        /// Units, each of which it still has.
        units: BTreeSet<UnitKey>,
    },
    /// A saga frees what it pinned.
    Free {
        /// The hold.
        hold_id: Uuid,
        /// Whether its buyer gave up; otherwise its time ran out.
        released: bool,
    },
}

impl Command {
    /// The hold it is about.
    #[must_use]
    pub fn hold_id(&self) -> Uuid {
        match self {
            Self::Hold(hold) => hold.hold_id,
            Self::Release { hold_id, .. }
            | Self::Expire { hold_id }
            | Self::Confirm { hold_id }
            | Self::Return { hold_id, .. }
            | Self::Free { hold_id, .. } => *hold_id,
        }
    }
}

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The hold becomes this, and the counters of its units follow.
    Change(Change),
    /// Nothing changes; this is the hold as it stands.
    Unchanged(Hold),
}

/// The hold after a command, and where it stood before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The hold before; `None` for a new one.
    pub from: Option<Box<Hold>>,
    /// The hold as it is now.
    pub hold: Hold,
    /// Places of strict waiting rooms that it takes: a new hold alone.
    pub burned: BTreeSet<Place>,
}

/// Why a command is refused. Nothing changes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Rejection {
    /// The id made another hold before.
    #[error("the request_id was used for another hold")]
    RequestIdReused,
    /// No such pool, or none that buyers see.
    #[error("pool {0} does not exist")]
    PoolNotFound(Uuid),
    /// Shows whose waiting room did not let the caller in.
    #[error("a pass of the waiting room is needed")]
    QueuePassRequired(BTreeSet<Uuid>),
    /// Shows whose waiting room gives one hold a place, and the caller's place had one.
    #[error("the place in the waiting room has had its hold")]
    QueuePassUsed(BTreeSet<Uuid>),
    /// A pool has no such unit.
    #[error("line {0} names a unit that its pool does not have")]
    UnknownUnit(usize),
    /// More than one place of a seat.
    #[error("line {0} asks for more than one place of a seat")]
    SeatQuantity(usize),
    /// Shows of different currencies.
    #[error("the lines are priced in two currencies")]
    TwoCurrencies,
    /// The sum does not fit.
    #[error("the total is too large")]
    TotalTooLarge,
    /// Too early.
    #[error("the sale of show {show_id} has not opened")]
    SaleNotOpen {
        /// The show.
        show_id: Uuid,
        /// When it opens.
        opens: DateTime<Utc>,
    },
    /// Too late.
    #[error("the sale of show {0} has closed")]
    SaleClosed(Uuid),
    /// The performance runs.
    #[error("the performance of pool {0} has started")]
    PerformanceStarted(Uuid),
    /// Somebody else has them.
    #[error("{} unit(s) are taken", .0.len())]
    UnitsTaken(Vec<(UnitKey, Level)>),
    /// The buyer has enough.
    #[error("a buyer may have {max} unit(s) of show {show_id}, has {taken} and asks for {asked}")]
    BuyerCapReached {
        /// The show.
        show_id: Uuid,
        /// The cap.
        max: i32,
        /// What the buyer has.
        taken: i32,
        /// What was asked for.
        asked: i32,
    },
    /// No such hold of this caller.
    #[error("the hold does not exist")]
    HoldNotFound,
    /// Units that are given back and that the hold does not have, or not any more.
    #[error("the hold has not sold {} of the units, or no longer", .0.len())]
    NotSold(BTreeSet<UnitKey>),
    /// The hold is past the point of the command.
    #[error("the hold is {}", .0.name())]
    WrongState(HoldState),
}

impl Rejection {
    /// Whether reclaiming what has expired could turn it into a yes.
    #[must_use]
    pub fn may_yield(&self) -> bool {
        matches!(self, Self::UnitsTaken(_) | Self::BuyerCapReached { .. })
    }
}

impl Snapshot {
    /// Carries a change out: counters and caps follow the hold.
    pub fn apply(&mut self, change: &Change) {
        for pool_id in change.hold.pool_ids() {
            if let Some(pool) = self.pools.get_mut(&pool_id) {
                let before = change
                    .from
                    .as_deref()
                    .is_some_and(|it| is_sale(it, pool_id));
                pool.sales += i64::from(is_sale(&change.hold, pool_id)) - i64::from(before);
            }
        }
        for line in &change.hold.lines {
            let held = effect(ClaimState::Held, change, &line.unit) * line.quantity;
            let sold = effect(ClaimState::Sold, change, &line.unit) * line.quantity;
            if let Some(unit) = self.units.get_mut(&line.unit) {
                unit.held += held;
                unit.sold += sold;
            }
            if let Some(pool) = self.pools.get_mut(&line.unit.pool_id) {
                pool.sold += i64::from(sold);
            }
            let max = self
                .shows
                .get(&line.show_id)
                .map_or(0, |show| show.units_per_buyer_max);
            let cap = self.caps.entry((line.show_id, change.hold.buyer()));
            cap.or_insert(Cap {
                taken: 0,
                taken_max: max,
            })
            .taken += held + sold;
        }
        self.burned.extend(&change.burned);
        self.holds.insert(change.hold.hold_id, change.hold.clone());
    }
}

/// Whether a hold has something of a pool for good.
fn is_sale(hold: &Hold, pool_id: Uuid) -> bool {
    let lines = hold.lines.iter().map(|line| line.unit);
    let mut sold = lines.filter(|unit| hold.claim(unit) == ClaimState::Sold);
    sold.any(|unit| unit.pool_id == pool_id)
}

/// -1, 0 or 1: how a change of hold moves the places of a unit that are claimed so.
fn effect(count: ClaimState, change: &Change, unit: &UnitKey) -> i32 {
    let counts = |hold: &Hold| hold.claim(unit) == count;
    i32::from(counts(&change.hold)) - i32::from(change.from.as_deref().is_some_and(counts))
}

#[cfg(test)]
mod tests;
