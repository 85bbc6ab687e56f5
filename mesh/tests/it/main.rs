//! Tests of mesh against a real Postgres and a real RabbitMQ.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what cannot go on here is a failed test"
)]

mod database;
mod idempotency;
mod migrate;
mod support;
mod sweep;
