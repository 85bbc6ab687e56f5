//! What people carry: a waiting ticket, which only this service reads, and a pass, which anybody can check.

pub mod invitation;
pub mod keys;
pub mod pass;
pub mod ticket;

pub use keys::{KeyRing, Keys, KeysError};
