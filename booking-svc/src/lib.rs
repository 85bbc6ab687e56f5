//! booking-svc: what is on sale, who holds it, who bought it.
//!
//! [`domain`] decides and touches nothing: no IO, no clock, no randomness.

pub mod app;
pub mod domain;
pub mod store;
