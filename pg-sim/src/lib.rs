//! A payment gateway simulator: a real HTTP server that speaks the Toss shape, breaks on request, and never lies to its oracle.
//!
//! A request goes through `toss` (or `robot`, `oracle`) into `exchange`, which asks `fault` what breaks, changes the
//! `book` once, and answers. `serve` owns the sockets, so that a fault can be a connection that ends without an answer.
//!
//! It must never be reachable from outside by accident ([`config`]), forget an effect it had, or make money appear: what the oracle
//! says is what the book holds.

mod book;
pub mod config;
mod desk;
mod exchange;
mod fault;
mod oracle;
mod robot;
mod serve;
mod toss;

pub use fault::{Rates, RatesError};
pub use serve::{Running, Simulator, serve};
