//! payment-svc: takes money through providers and returns it, and never guesses.
//!
//! [`domain`] decides and touches nothing. [`provider`] speaks to the outside and is the only place that knows a provider's codes.
//! [`store`] reads and writes rows, [`publish`] turns facts into messages, [`app`] joins them into use cases. [`grpc`] and
//! [`consumer`] are the ways in, and nobody imports them but [`service`], which puts everything together.

pub mod app;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod grpc;
pub mod provider;
pub mod publish;
pub mod service;
pub mod store;
pub mod timings;
