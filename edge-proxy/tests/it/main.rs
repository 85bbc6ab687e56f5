//! The door over real sockets, with a real gRPC server behind it.

// Clippy allows these in test functions only; here everything is one.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod bodies;
mod browsers;
mod calls;
mod contracts;
mod door;
mod limits;
mod openapi;
mod operations;
mod page;
mod passes;
mod process;
mod rates;
mod services;
mod streams;
mod tidy;
