//! Use cases.

pub mod claims;
pub mod desk;
pub mod manage;
pub mod quote;
pub mod reads;
pub mod reservations;
