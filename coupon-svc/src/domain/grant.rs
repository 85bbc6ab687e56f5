//! Grants: coupons for accounts that are named.
//!
//! | state | a batch of accounts | the last account | cancel |
//! |---|---|---|---|
//! | PENDING, RUNNING | RUNNING | DONE | CANCELLED |
//! | DONE | - | - | [`Finished`] |
//! | CANCELLED | - | - | unchanged |
//!
//! What a DONE or CANCELLED one gave can be taken back: nothing is added to it any more.

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

/// Accounts of a grant: what one request carries.
pub const ACCOUNTS_MAX: usize = 10_000;

/// Where a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody got anything yet.
    Pending,
    /// Some were looked at.
    Running,
    /// All were looked at.
    Done,
    /// The rest was cancelled.
    Cancelled,
}

impl State {
    /// All.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Done, Self::Cancelled];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// What an account got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not looked at.
    Pending,
    /// This coupon.
    Granted(Uuid),
    /// Nothing: it has as many as it can.
    AlreadyHad,
    /// Nothing: no coupon was left.
    NoStock,
    /// Nothing: the campaign was over.
    TooLate,
}

impl Outcome {
    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Granted(_) => "GRANTED",
            Self::AlreadyHad => "ALREADY_HAD",
            Self::NoStock => "NO_STOCK",
            Self::TooLate => "TOO_LATE",
        }
    }

    /// The coupon.
    #[must_use]
    pub const fn coupon_id(self) -> Option<Uuid> {
        match self {
            Self::Granted(coupon_id) => Some(coupon_id),
            Self::Pending | Self::AlreadyHad | Self::NoStock | Self::TooLate => None,
        }
    }
}

/// An account of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Place in the order, from 1.
    pub n: u32,
    /// Account.
    pub account_id: Uuid,
    /// What it got.
    pub outcome: Outcome,
}

/// It is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the grant is done")]
pub struct Finished;

/// What became of the coupons of a grant that was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Taken back.
    pub revoked: u32,
    /// Held by bookings.
    pub reserved: u32,
    /// Used.
    pub used: u32,
}

/// An order to give coupons to accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Id.
    pub grant_id: Uuid,
    /// Campaign.
    pub campaign_id: Uuid,
    /// Where it stands.
    pub state: State,
    /// Accounts.
    pub total: u32,
    /// That got a coupon.
    pub granted: u32,
    /// That have as many as they can.
    pub already_had: u32,
    /// For which no coupon was left.
    pub no_stock: u32,
    /// Whose turn came too late.
    pub too_late: u32,
    /// When it was ordered.
    pub create_time: DateTime<Utc>,
    /// When it was done or cancelled.
    pub finish_time: Option<DateTime<Utc>>,
}

impl Grant {
    /// The grant once these accounts were looked at. Those that are pending still come again.
    #[must_use]
    pub fn advanced(&self, outcomes: &[Outcome], now: DateTime<Utc>) -> Self {
        let mut grant = self.clone();
        for outcome in outcomes {
            match outcome {
                Outcome::Pending => {}
                Outcome::Granted(_) => grant.granted += 1,
                Outcome::AlreadyHad => grant.already_had += 1,
                Outcome::NoStock => grant.no_stock += 1,
                Outcome::TooLate => grant.too_late += 1,
            }
        }
        let looked_at = grant.granted + grant.already_had + grant.no_stock + grant.too_late;
        grant.state = match looked_at {
            0 => State::Pending,
            some if some < grant.total => State::Running,
            _ => State::Done,
        };
        grant.finish_time = (grant.state == State::Done).then_some(now);
        grant
    }

    /// The grant once its rest is cancelled.
    pub fn cancelled(&self, now: DateTime<Utc>) -> Result<Self, Finished> {
        match self.state {
            State::Done => Err(Finished),
            State::Cancelled => Ok(self.clone()),
            State::Pending | State::Running => Ok(Self {
                state: State::Cancelled,
                finish_time: Some(now),
                ..self.clone()
            }),
        }
    }
}

#[cfg(test)]
mod tests;
