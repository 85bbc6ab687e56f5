//! Use cases: begin, load, decide, save, append to the outbox, commit.

pub mod inventory;
pub mod timings;
