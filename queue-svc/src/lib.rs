//! Waiting rooms. `domain` decides, `line` is the line itself, in Redis; `rooms` looks after it, `app` is what people and operators do.

pub mod app;
pub mod config;
pub mod consumer;
pub mod credentials;
pub mod domain;
pub mod grpc;
pub mod line;
pub mod rooms;
pub mod service;
pub mod store;
