//! Use cases: begin, load, decide, save, append to the outbox, commit.

pub mod cancel_booking;
mod cancel_lines;
pub mod catalogue;
pub mod create_booking;
pub mod inventory;
pub mod issue_tickets;
pub mod quote_booking;
pub mod reads;
pub mod saga_admin;
pub mod timings;
