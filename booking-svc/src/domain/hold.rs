//! A hold: units kept for one buyer for a while.
//!
//! | from | to | by |
//! |---|---|---|
//! | HELD | RELEASED | its buyer |
//! | HELD | EXPIRED | anyone, once its time is up |
//! | HELD | PAYING | a saga |
//! | PAYING | HELD | the saga, after a final decline: the buyer keeps the units |
//! | PAYING | CONFIRMED | the saga, once paid |
//! | PAYING | CLOSING | the saga, while a payment is being undone |
//! | PAYING, CLOSING | EXPIRED, RELEASED | the saga, once no money can stay |
//!
//! A CONFIRMED hold stays one; units of it may be returned, each once, when lines of its booking are cancelled.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::money::Money;
use uuid::Uuid;

/// From creation a hold can be kept alive, payments included, for its TTL and this much more.
pub const MAX_LIFE_BEYOND_TTL: Duration = Duration::from_secs(15 * 60);

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Kept until its expiry, then anyone may reclaim it.
    Held,
    /// Pinned by a saga; never reclaimed while money may arrive.
    Paying,
    /// Its payment is being undone; kept until that is known.
    Closing,
    /// Sold.
    Confirmed,
    /// Given back.
    Released,
    /// Out of time.
    Expired,
}

impl HoldState {
    /// State in the database and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Paying => "PAYING",
            Self::Closing => "CLOSING",
            Self::Confirmed => "CONFIRMED",
            Self::Released => "RELEASED",
            Self::Expired => "EXPIRED",
        }
    }

    /// What the claims of a hold in this state are.
    #[must_use]
    pub fn claims(self) -> ClaimState {
        match self {
            Self::Held | Self::Paying | Self::Closing => ClaimState::Held,
            Self::Confirmed => ClaimState::Sold,
            Self::Released | Self::Expired => ClaimState::Freed,
        }
    }
}

/// What a hold has of its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// Kept.
    Held,
    /// Sold.
    Sold,
    /// Nothing.
    Freed,
}

impl ClaimState {
    /// State in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Sold => "SOLD",
            Self::Freed => "FREED",
        }
    }
}

/// A unit of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    /// Pool.
    pub pool_id: Uuid,
    /// Number of the unit in it.
    pub ord: i32,
}

/// What a hold keeps of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldLine {
    /// The unit.
    pub unit: UnitKey,
    /// Show of the unit's pool: what the buyer's cap counts by.
    pub show_id: Uuid,
    /// Whether the unit is a seat.
    pub exclusive: bool,
    /// Places.
    pub quantity: i32,
    /// Grade.
    pub grade: String,
    /// Price of one place, frozen.
    pub unit_price: Money,
}

/// Units kept for one buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Id: the request_id of the call that made it.
    pub hold_id: Uuid,
    /// Account that made it.
    pub account_id: Uuid,
    /// Person the caps count; the account itself when absent.
    pub buyer_reference: Option<String>,
    /// Where it stands.
    pub state: HoldState,
    /// Fingerprint of the request that made it.
    pub request_hash: Vec<u8>,
    /// Lines, by unit.
    pub lines: Vec<HoldLine>,
    /// Units of a CONFIRMED one that were given back.
    pub returned: BTreeSet<UnitKey>,
    /// Sum of the lines.
    pub total: Money,
    /// When it may be reclaimed.
    pub expire_time: DateTime<Utc>,
    /// Beyond this no payment may begin or end.
    pub max_expire_time: DateTime<Utc>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
}

impl Hold {
    /// Whom the caps count.
    #[must_use]
    pub fn buyer(&self) -> String {
        buyer(self.account_id, self.buyer_reference.as_deref())
    }

    /// Whether anyone may reclaim it.
    #[must_use]
    pub fn is_reclaimable(&self, now: DateTime<Utc>) -> bool {
        self.state == HoldState::Held && self.expire_time <= now
    }

    /// What it has of the unit of one of its lines.
    #[must_use]
    pub fn claim(&self, unit: &UnitKey) -> ClaimState {
        match self.state.claims() {
            ClaimState::Sold if self.returned.contains(unit) => ClaimState::Freed,
            claim => claim,
        }
    }

    /// Its pools.
    #[must_use]
    pub fn pool_ids(&self) -> BTreeSet<Uuid> {
        self.lines.iter().map(|line| line.unit.pool_id).collect()
    }

    /// Its shows, in order of id.
    #[must_use]
    pub fn show_ids(&self) -> Vec<Uuid> {
        let ids: BTreeSet<Uuid> = self.lines.iter().map(|line| line.show_id).collect();
        ids.into_iter().collect()
    }
}

/// Whom the caps count: the person a partner names, else the account.
#[must_use]
pub fn buyer(account_id: Uuid, reference: Option<&str>) -> String {
    reference.map_or_else(|| account_id.to_string(), str::to_owned)
}
