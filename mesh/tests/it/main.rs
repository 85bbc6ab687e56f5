//! Tests of mesh against a real Postgres and a real RabbitMQ.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot go on here is a failed test"
)]

mod broker;
mod consumer;
mod database;
mod dead_letters;
mod idempotency;
mod migrate;
mod outage;
mod outbox;
mod peer;
mod retry;
mod support;
mod sweep;
