//! Waiting rooms. `domain` decides, `line` is the line itself, in Redis.

pub mod domain;
pub mod line;
