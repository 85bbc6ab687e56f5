//! Coupons: campaigns, first-come claims, and the best combination for an order. `domain` decides, `gate` refuses latecomers in Redis,
//! `app` is what people, sellers and administrators do.

pub mod app;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod gate;
pub mod grpc;
pub mod guesses;
pub mod publish;
pub mod service;
pub mod store;
