//! queue-svc against a real Redis and a real Postgres.
#![cfg(test)] // so that clippy knows these modules as tests

mod crowd;
mod deaths;
mod failover;
mod faults;
mod history;
mod line;
mod losses;
mod lottery;
mod million;
mod model;
mod operators;
mod people;
mod processes;
mod refusals;
mod sale;
mod schema;
mod servers;
mod service;
mod skew;
mod storm;
mod support;
mod watch;
