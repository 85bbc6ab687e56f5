//! Tests of booking-svc against a real Postgres.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot go on here is a failed test"
)]

mod schema;
mod support;
