//! Use cases.

pub mod answer;
pub mod manage;
pub mod wait;
