//! Tests of the crate through its public functions.

// Clippy allows these in test functions only; here everything is one.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod body;
mod build;
mod errors;
mod fixture;
mod paths;
mod properties;
mod query;
mod response;
mod usher;
