//! What coupons are worth and when. Pure: no clock, no I/O.

pub mod best;
pub mod campaign;
pub mod code;
pub mod coupon;
pub mod discount;
pub mod grant;
pub mod order;
pub mod reservation;
pub mod terms;
