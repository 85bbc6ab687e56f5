//! The rules of the house, as pure functions and values.
//!
//! A seating plan ([`plan`]) becomes the units of a hall ([`hall`]). Whatever is wrong with an input is collected in
//! [`finding::Findings`] and told at once. A sold unit is admitted by the signed code of its [`ticket`].

pub mod booking;
pub mod finding;
pub mod hall;
pub mod hold;
pub mod inventory;
pub mod limits;
pub mod plan;
pub mod saga;
pub mod text;
pub mod ticket;
