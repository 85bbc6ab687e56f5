//! payment-svc: takes money through providers and returns it, and never guesses.
//!
//! [`domain`] decides and touches nothing. [`provider`] speaks to the outside and is the only place that knows a provider's codes.
//! [`store`] reads and writes rows, [`publish`] turns facts into messages, [`app`] joins them into use cases.

pub mod app;
pub mod domain;
pub mod provider;
pub mod publish;
pub mod store;
pub mod timings;
