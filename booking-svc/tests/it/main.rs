//! Tests of booking-svc against a real Postgres.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot go on here is a failed test"
)]

mod catalogue;
mod inventory;
mod levels;
mod passes;
mod saga;
mod schema;
mod service;
mod support;
mod world;
