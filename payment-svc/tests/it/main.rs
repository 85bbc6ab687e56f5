//! payment-svc against a real gateway simulator.
#![cfg(test)] // so that clippy knows these modules as tests

mod gateway;
mod toss;
