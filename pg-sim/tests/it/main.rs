//! The simulator over a real socket.
#![cfg(test)] // so that clippy knows these modules as tests

mod faults;
mod harness;
mod idempotency;
mod oracle;
mod outage;
mod statuses;
