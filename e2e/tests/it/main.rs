//! Tests over the whole checkout and over the real binaries.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot go on here is a failed test"
)]

mod contracts;
mod docs;
mod tidy;
