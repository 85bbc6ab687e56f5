//! The rules of the house, as pure functions and values.
//!
//! A seating plan ([`plan`]) becomes the units of a hall ([`hall`]) of a [`venue`]; a [`show`] plays there ([`performance`]), which puts
//! them on sale ([`mod@unit`]); the [`inventory`] decides who holds them ([`hold`]). Whatever is wrong with an input is collected in
//! [`finding::Findings`] and told at once. A sold unit is admitted by the signed code of its [`ticket`].

pub mod booking;
pub mod cancellation;
pub mod finding;
pub mod hall;
pub mod hold;
pub mod inventory;
pub mod limits;
pub mod performance;
pub mod plan;
pub mod price;
pub mod saga;
pub mod show;
pub mod text;
pub mod ticket;
pub mod unit;
pub mod venue;
