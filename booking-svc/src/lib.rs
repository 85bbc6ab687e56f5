//! booking-svc: what is on sale, who holds it, who bought it.
//!
//! [`domain`] decides and touches nothing: no IO, no clock, no randomness.

pub mod app;
pub mod clients;
pub mod consumer;
pub mod domain;
pub mod publish;
pub mod saga;
pub mod store;
