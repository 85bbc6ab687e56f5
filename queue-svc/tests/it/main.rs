//! queue-svc against a real Redis and a real Postgres.
#![cfg(test)] // so that clippy knows these modules as tests

mod failover;
mod history;
mod line;
mod losses;
mod lottery;
mod million;
mod model;
mod operators;
mod people;
mod refusals;
mod sale;
mod schema;
mod service;
mod storm;
mod support;
mod watch;
