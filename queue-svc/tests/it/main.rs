//! queue-svc against a real Redis.
#![cfg(test)] // so that clippy knows these modules as tests

mod history;
mod line;
mod losses;
mod million;
mod model;
mod support;
