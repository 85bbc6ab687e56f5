//! payment-svc against a real database, a real broker and a real gateway simulator.
#![cfg(test)] // so that clippy knows these modules as tests

mod cancel;
mod confirm;
mod constraints;
mod gateway;
mod refund;
mod retry;
mod rpc;
mod service;
mod shop;
mod takeover;
mod toss;
