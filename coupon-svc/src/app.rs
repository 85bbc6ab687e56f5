//! Use cases.

pub mod claim_queue;
pub mod claims;
pub mod codes;
pub mod desk;
pub mod expiry;
pub mod grants;
pub mod manage;
pub mod quote;
pub mod reads;
pub mod reservations;
pub mod revocations;
