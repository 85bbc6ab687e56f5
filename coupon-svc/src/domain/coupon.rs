//! Coupons that somebody has.
//!
//! | state | reserve | commit | release | restore | revoke |
//! |---|---|---|---|---|---|
//! | AVAILABLE | RESERVED | - | - | AVAILABLE | REVOKED |
//! | RESERVED | refused | USED; AVAILABLE with uses left | AVAILABLE | RESERVED | RESERVED, marked |
//! | USED | refused | - | - | AVAILABLE | USED, marked |
//! | REVOKED | refused | - | - | REVOKED | REVOKED |
//!
//! Whatever would make a marked one AVAILABLE makes it REVOKED. A mark is not taken off.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What became of a coupon. Time is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nobody uses it.
    Available,
    /// A booking holds it.
    Reserved,
    /// It was used.
    Used,
    /// It was taken back.
    Revoked,
}

impl Kept {
    /// All.
    pub const ALL: [Self; 4] = [Self::Available, Self::Reserved, Self::Used, Self::Revoked];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Reserved => "RESERVED",
            Self::Used => "USED",
            Self::Revoked => "REVOKED",
        }
    }
}

/// Where a coupon stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be used within its time.
    Available,
    /// A booking holds it.
    Reserved,
    /// It was used.
    Used,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// A coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// Id.
    pub coupon_id: Uuid,
    /// Campaign.
    pub campaign_id: Uuid,
    /// Owner.
    pub account_id: Uuid,
    /// What became of it.
    pub kept: Kept,
    /// When its owner got it.
    pub issue_time: DateTime<Utc>,
    /// First moment to use it.
    pub valid_from: DateTime<Utc>,
    /// When it expires.
    pub expire_time: DateTime<Utc>,
}

impl Coupon {
    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: DateTime<Utc>) -> State {
        match self.kept {
            Kept::Available if now >= self.expire_time => State::Expired,
            Kept::Available => State::Available,
            Kept::Reserved => State::Reserved,
            Kept::Used => State::Used,
            Kept::Revoked => State::Revoked,
        }
    }
}

/// A coupon that just became REVOKED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Coupon.
    pub coupon_id: Uuid,
    /// Campaign.
    pub campaign_id: Uuid,
    /// Owner.
    pub account_id: Uuid,
}

/// A booking that has a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Reservation.
    pub reservation_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
}

/// A coupon as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The coupon.
    pub coupon: Coupon,
    /// When it was ordered to take it back.
    pub revoke_time: Option<DateTime<Utc>>,
    /// Who holds it, or used it last.
    pub holder: Option<Holder>,
}

/// Coupons that an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Only of this campaign.
    pub campaign_id: Option<Uuid>,
    /// Only of this owner.
    pub account_id: Option<Uuid>,
    /// Only those that stand so.
    pub state: Option<State>,
}

/// How many coupons of a campaign stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That can be used, now or later.
    pub available: u64,
    /// That bookings hold.
    pub reserved: u64,
    /// That were used.
    pub used: u64,
    /// Whose time is over.
    pub expired: u64,
    /// That were taken back.
    pub revoked: u64,
}

impl Counts {
    /// All that were issued.
    #[must_use]
    pub const fn issued(self) -> u64 {
        self.available + self.reserved + self.used + self.expired + self.revoked
    }
}
