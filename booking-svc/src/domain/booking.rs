//! A booking: a sale, or an attempt at one.
//!
//! PROCESSING -> AWAITING_PAYMENT -> CONFIRMED or FAILED; CONFIRMED -> CANCELLED with its last line. A FAILED booking is never revived; its hold may be booked again while it is HELD.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mesh::money::Money;
use thiserror::Error;
use uuid::Uuid;

use super::cancellation::PastCancellation;
use super::hold::{Hold, HoldState, UnitKey};
use super::price::{self, CouponChoice, Discount, NotUsable};

/// The one provider of this release.
pub const PROVIDER: &str = "toss";

/// Where a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingState {
    /// The saga is at work.
    Processing,
    /// The buyer has to confirm the payment.
    AwaitingPayment,
    /// Paid and sold.
    Confirmed,
    /// Ended without a sale.
    Failed,
    /// Sold, and every line was given back.
    Cancelled,
}

impl BookingState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Processing,
        Self::AwaitingPayment,
        Self::Confirmed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// State in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::AwaitingPayment => "AWAITING_PAYMENT",
            Self::Confirmed => "CONFIRMED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the saga is over: lines may still be given back.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Failed | Self::Cancelled)
    }
}

/// How a booking is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// In the provider's widget.
    OnSite,
    /// Nothing to pay.
    Free,
}

impl Method {
    /// Method in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OnSite => "ON_SITE",
            Self::Free => "FREE",
        }
    }
}

/// Which bookings to list.
#[derive(Clone, Debug)]
pub struct BookingFilter {
    /// Buyer.
    pub account_id: Uuid,
    /// Only this state.
    pub state: Option<BookingState>,
    /// Only with a line of this show.
    pub show_id: Option<Uuid>,
    /// Only older than this booking.
    pub before: Option<Uuid>,
}

/// Why a booking failed, or why its last payment was declined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// PAYMENT_DECLINED, PAYMENT_EXPIRED, PAYMENT_UNAVAILABLE, ABANDONED, HOLD_LOST, COUPONS_NOT_USABLE, COUPONS_UNAVAILABLE.
    pub reason: String,
    /// Code of the provider, as it sent it.
    pub provider_code: String,
    /// Whether the same payment may be tried again.
    pub may_try_again: bool,
}

/// One unit of a booking, frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingLine {
    /// Number, from 0.
    pub line_no: i32,
    /// Show.
    pub show_id: Uuid,
    /// Performance.
    pub performance_id: Uuid,
    /// Unit.
    pub unit: UnitKey,
    /// Whether it is a seat.
    pub exclusive: bool,
    /// Places.
    pub quantity: i32,
    /// Grade.
    pub grade: String,
    /// Price of one place.
    pub unit_price: Money,
    /// What of it goes back to the buyer, in minor units, once it was cancelled.
    pub refund: Option<i64>,
}

/// A booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Id.
    pub booking_id: Uuid,
    /// Buyer.
    pub account_id: Uuid,
    /// Hold it turns into a sale.
    pub hold_id: Uuid,
    /// request_id of CreateBooking.
    pub request_id: Uuid,
    /// Fingerprint of the request.
    pub request_hash: Vec<u8>,
    /// Where it stands.
    pub state: BookingState,
    /// How it is paid.
    pub method: Method,
    /// Its payment.
    pub payment_id: Uuid,
    /// What is paid: the sum of the lines without the discounts.
    pub total: Money,
    /// What coupons take off, frozen.
    pub discounts: Vec<Discount>,
    /// Reservation of its coupons; `None`: it has none.
    pub reservation_id: Option<Uuid>,
    /// Set in FAILED, and after a decline.
    pub failure: Option<Failure>,
    /// Until when it can be paid.
    pub payment_deadline_time: DateTime<Utc>,
    /// Plus 1 with each change.
    pub version: i64,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When it was confirmed.
    pub confirm_time: Option<DateTime<Utc>>,
    /// Lines.
    pub lines: Vec<BookingLine>,
    /// What of it was cancelled, oldest first.
    pub cancellations: Vec<PastCancellation>,
}

impl Booking {
    /// What coupons take off.
    #[must_use]
    pub fn discount(&self) -> Money {
        Money::new(price::total(&self.discounts), self.total.currency)
    }

    /// What coupons take off a line, and what of that the platform pays.
    #[must_use]
    pub fn discount_of(&self, line: &BookingLine) -> (Money, Money) {
        let (amount, platform) = price::of_line(&self.discounts, line.line_no);
        let currency = self.total.currency;
        (Money::new(amount, currency), Money::new(platform, currency))
    }

    /// Sum of the lines.
    #[must_use]
    pub fn subtotal(&self) -> Money {
        let units = self.total.minor_units + self.discount().minor_units;
        Money::new(units, self.total.currency)
    }
}

/// Windows of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentWindow {
    /// A buyer has this long to pay.
    pub longest: Duration,
    /// Less than this is not worth beginning.
    pub shortest: Duration,
    /// The payment ends this much before the hold must.
    pub before_max_expire: Duration,
}

/// A request to book a hold.
#[derive(Clone, Debug)]
pub struct CreateBooking {
    /// The request_id.
    pub request_id: Uuid,
    /// The caller.
    pub account_id: Uuid,
    /// Fingerprint of the request.
    pub request_hash: Vec<u8>,
    /// The hold.
    pub hold_id: Uuid,
    /// What the buyer agreed to, without what coupons take off.
    pub expected_total: Money,
    /// Coupons to use.
    pub coupons: CouponChoice,
    /// How it is paid.
    pub method: Method,
}

/// Why a hold is not booked. Nothing changes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BookingRefusal {
    /// These of the chosen coupons cannot be used.
    #[error("{} of the coupons cannot be used", .0.coupons.len() + .0.unlisted)]
    CouponsNotUsable(NotUsable),
    /// coupon-svc does not answer.
    #[error("coupons cannot be looked at now")]
    CouponsAway,
    /// coupon-svc and this service do not understand each other, and will not when they are asked again.
    #[error("coupons cannot be quoted: {0}")]
    CouponsFault(String),
    /// The id booked something else before.
    #[error("the request_id was used for another booking")]
    RequestIdReused,
    /// No such hold of this caller.
    #[error("the hold does not exist")]
    HoldNotFound,
    /// Its time is up, or too little is left to pay in.
    #[error("the hold has expired")]
    HoldExpired,
    /// Its buyer gave it back.
    #[error("the hold was released")]
    HoldReleased,
    /// Another booking has it.
    #[error("the hold is booked already")]
    HoldAlreadyBooked,
    /// The buyer agreed to another sum.
    #[error("the total is {0}")]
    TotalChanged(Money),
    /// The buyer named another currency.
    #[error("the total is in {}", .0.currency)]
    CurrencyMismatch(Money),
    /// FREE with something to pay, or ON_SITE with nothing.
    #[error("{}", method_problem(*.0))]
    MethodNotAllowed(Method),
}

fn method_problem(method: Method) -> &'static str {
    match method {
        Method::Free => "free is for a total of 0",
        Method::OnSite => "on_site is for a total above 0; a total of 0 is booked with free",
    }
}

/// What is left of `amount` to pay.
#[must_use]
pub fn discounted(amount: Money, discounts: &[Discount]) -> Money {
    let units = amount.minor_units.saturating_sub(price::total(discounts));
    Money::new(units, amount.currency)
}

/// Whether `account_id` can book `hold` at `now`.
pub fn bookable(hold: &Hold, account_id: Uuid, now: DateTime<Utc>) -> Result<(), BookingRefusal> {
    if hold.account_id != account_id {
        return Err(BookingRefusal::HoldNotFound);
    }
    match hold.state {
        HoldState::Held if hold.expire_time <= now => Err(BookingRefusal::HoldExpired),
        HoldState::Held => Ok(()),
        HoldState::Expired => Err(BookingRefusal::HoldExpired),
        HoldState::Released => Err(BookingRefusal::HoldReleased),
        HoldState::Paying | HoldState::Closing | HoldState::Confirmed => {
            Err(BookingRefusal::HoldAlreadyBooked)
        }
    }
}

/// Whether `hold` can be booked at `now` with these discounts, and until when it has to be paid.
pub fn open(
    wanted: &CreateBooking,
    hold: &Hold,
    discounts: &[Discount],
    window: PaymentWindow,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, BookingRefusal> {
    bookable(hold, wanted.account_id, now)?;
    let total = discounted(hold.total, discounts);
    if wanted.expected_total.currency != hold.total.currency {
        return Err(BookingRefusal::CurrencyMismatch(total));
    }
    if wanted.expected_total != total {
        return Err(BookingRefusal::TotalChanged(total));
    }
    let nothing_to_pay = total.minor_units == 0;
    if nothing_to_pay != (wanted.method == Method::Free) {
        return Err(BookingRefusal::MethodNotAllowed(wanted.method));
    }
    let step = |duration: Duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    let latest = hold.max_expire_time - step(window.before_max_expire);
    let deadline = latest.min(now + step(window.longest));
    if deadline < now + step(window.shortest) {
        return Err(BookingRefusal::HoldExpired);
    }
    Ok(deadline)
}

/// When a hold expires whose payment was declined for good: what was left of its time, at least `least`, never past its end.
#[must_use]
pub fn expiry_after_decline(hold: &Hold, least: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    let least = now + TimeDelta::from_std(least).unwrap_or(TimeDelta::zero());
    hold.expire_time.max(least).min(hold.max_expire_time)
}

#[cfg(test)]
mod tests;
