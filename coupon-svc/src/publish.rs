//! What is told about coupons that bookings use, and about those that are taken back.

use chrono::{DateTime, Utc};
use mesh::clock::to_timestamp;
use proto::usher::coupon::events::v1::{CouponRestored, CouponRevoked, CouponUsed};
use uuid::Uuid;

use crate::domain::coupon::Gone;
use crate::domain::reservation::Reservation;

/// A booking used `coupon_id`.
#[must_use]
pub fn used(reservation: &Reservation, coupon_id: Uuid, time: DateTime<Utc>) -> CouponUsed {
    CouponUsed {
        coupon_id: coupon_id.to_string(),
        account_id: text(reservation.account_id),
        booking_id: reservation.booking_id.to_string(),
        use_time: Some(to_timestamp(time)),
    }
}

/// `coupon_id` came back after a booking had used it.
#[must_use]
pub fn restored(
    reservation: &Reservation,
    coupon_id: Uuid,
    expire_time: DateTime<Utc>,
    time: DateTime<Utc>,
) -> CouponRestored {
    CouponRestored {
        coupon_id: coupon_id.to_string(),
        account_id: text(reservation.account_id),
        booking_id: reservation.booking_id.to_string(),
        restore_time: Some(to_timestamp(time)),
        expire_time: Some(to_timestamp(expire_time)),
    }
}

/// A coupon was taken back.
#[must_use]
pub fn revoked(gone: &Gone, time: DateTime<Utc>) -> CouponRevoked {
    CouponRevoked {
        coupon_id: gone.coupon_id.to_string(),
        campaign_id: gone.campaign_id.to_string(),
        account_id: gone.account_id.to_string(),
        revoke_time: Some(to_timestamp(time)),
    }
}

fn text(account_id: Option<Uuid>) -> String {
    account_id.map(|id| id.to_string()).unwrap_or_default()
}
