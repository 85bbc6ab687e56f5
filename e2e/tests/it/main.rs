//! Tests over the whole checkout and over the real binaries.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot go on here is a failed test"
)]

mod auditor;
mod bench;
mod browser;
mod chance;
mod clients;
mod closing;
mod contracts;
mod coupons;
mod discounts;
mod docs;
mod k8s;
mod kills;
mod matrix;
mod operators;
mod page;
mod pairs;
mod provider;
mod real;
mod refusals;
mod storm;
mod tidy;
mod traces;
mod waiting;
