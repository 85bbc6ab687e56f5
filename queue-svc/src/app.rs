//! Use cases.

pub mod answer;
mod guest;
pub mod manage;
pub mod wait;
