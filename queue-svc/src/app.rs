//! Use cases.

pub mod answer;
pub mod follow;
mod guest;
pub mod manage;
pub mod wait;
pub mod watch;
