//! Use cases.

pub mod answer;
pub mod follow;
mod guest;
pub mod manage;
mod tell;
pub mod wait;
pub mod watch;
