//! booking-svc: what is on sale, who holds it, who bought it.
//!
//! A request enters through [`grpc`], becomes a command for a use case of [`app`], which reads and writes through [`store`] what
//! [`domain`] decides. `domain` touches nothing: no IO, no clock, no randomness.

pub mod app;
pub mod clients;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod grpc;
pub mod publish;
pub mod saga;
pub mod store;

mod service;

pub use service::{PROGRAM, StartError, serve, serve_with};
