//! coupon-svc against a real Redis and a real Postgres.
#![cfg(test)] // so that clippy knows these modules as tests

mod batches;
mod campaigns;
mod claims;
mod codes;
mod expiry;
mod gates;
mod grants;
mod issued;
mod quotes;
mod refusals;
mod reservations;
mod revocations;
mod schema;
mod service;
mod sold_out;
mod walls;
