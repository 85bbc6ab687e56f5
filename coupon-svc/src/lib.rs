//! Coupons. `domain` decides.

pub mod domain;
