//! Tests over the whole checkout and over the real binaries.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot go on here is a failed test"
)]

mod chance;
mod closing;
mod contracts;
mod docs;
mod kills;
mod matrix;
mod operators;
mod pairs;
mod provider;
mod real;
mod refusals;
mod storm;
mod tidy;
