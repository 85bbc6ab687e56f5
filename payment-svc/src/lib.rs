//! payment-svc: takes money through providers and returns it, and never guesses.
//!
//! [`domain`] decides and touches nothing. [`provider`] speaks to the outside and is the only place that knows a provider's codes.
//! [`store`] reads and writes rows.

pub mod domain;
pub mod provider;
pub mod store;
