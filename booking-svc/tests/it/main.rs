//! Tests of booking-svc against a real Postgres and a real broker.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot go on here is a failed test"
)]

mod catalogue;
mod inventory;
mod levels;
mod passes;
mod refunds;
mod saga;
mod schema;
mod service;
mod support;
mod world;
