//! Coupons that a booking holds.
//!
//! A reservation does not lapse: as long as nobody knows what became of a payment, nobody else can have its coupons. Whoever made it ends
//! it by command; one that stays RESERVED for long is an alarm ([`OLD_AFTER`]).
//!
//! | state | reserve | commit | release | restore |
//! |---|---|---|---|---|
//! | none | RESERVED | [`Refused::NotFound`] | RELEASED: a tombstone | [`Refused::NotFound`] |
//! | RESERVED | unchanged | USED | RELEASED | USED, then as there |
//! | USED | unchanged | unchanged | [`Refused::Used`] | RESTORED with its last coupon |
//! | RELEASED | [`Refused::Released`] | [`Refused::Released`] | unchanged | [`Refused::Released`] |
//! | RESTORED | [`Refused::Used`] | unchanged | [`Refused::Used`] | unchanged |

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use uuid::Uuid;

/// Most coupons of one booking: as many as are looked at for one order.
pub const COUPONS_MAX: usize = super::order::CANDIDATES_MAX;

/// A coupon that comes back after its time can be used for so long: a week, within which people read their mail.
pub const GRACE: TimeDelta = TimeDelta::days(7);

/// A reservation that nobody ended for so long needs a person: no payment stays open for a day.
pub const OLD_AFTER: TimeDelta = TimeDelta::days(1);

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A booking under way has the coupons.
    Reserved,
    /// The booking was confirmed.
    Used,
    /// The booking failed, or never began.
    Released,
    /// The booking was cancelled, and every coupon came back.
    Restored,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Reserved, Self::Used, Self::Released, Self::Restored];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "RESERVED",
            Self::Used => "USED",
            Self::Released => "RELEASED",
            Self::Restored => "RESTORED",
        }
    }
}

/// Coupons that a booking holds, or held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Id.
    pub reservation_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
    /// Owner of the coupons; `None` in a tombstone.
    pub account_id: Option<Uuid>,
    /// Where it stands.
    pub state: State,
    /// Its coupons, ascending.
    pub coupons: Vec<Uuid>,
}

/// What is ordered of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The coupons are used.
    Commit,
    /// The coupons go back.
    Release,
    /// Coupons that were used go back.
    Restore,
}

/// Why an order changes nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// There is no such reservation.
    #[error("there is no such reservation")]
    NotFound,
    /// Its coupons went back.
    #[error("the reservation was released")]
    Released,
    /// Its coupons were used.
    #[error("the coupons of the reservation were used")]
    Used,
}

/// What follows from an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Stay,
    /// A tombstone is put, so that a reservation that comes later is refused.
    Tombstone,
    /// The coupons are used.
    Use,
    /// The coupons go back.
    GiveBack,
    /// Some of the used coupons go back.
    Restore,
    /// The coupons are used, and some of them go back: the order to use them is on its way.
    UseAndRestore,
}

/// What an order does to a reservation that stands so. Order and repetition of messages do not matter.
pub const fn turn(state: Option<State>, order: Order) -> Result<Turn, Refused> {
    match (state, order) {
        (None, Order::Release) => Ok(Turn::Tombstone),
        (None, Order::Commit | Order::Restore) => Err(Refused::NotFound),
        (Some(State::Reserved), Order::Commit) => Ok(Turn::Use),
        (Some(State::Reserved), Order::Release) => Ok(Turn::GiveBack),
        (Some(State::Reserved), Order::Restore) => Ok(Turn::UseAndRestore),
        (Some(State::Used), Order::Restore) => Ok(Turn::Restore),
        (Some(State::Used | State::Restored), Order::Commit)
        | (Some(State::Restored), Order::Restore)
        | (Some(State::Released), Order::Release) => Ok(Turn::Stay),
        (Some(State::Used | State::Restored), Order::Release) => Err(Refused::Used),
        (Some(State::Released), Order::Commit | Order::Restore) => Err(Refused::Released),
    }
}

/// Until when a coupon can be used that comes back at `now`.
#[must_use]
pub fn expiry_after_restore(expire_time: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    expire_time.max(now + GRACE)
}
