//! Rules of waiting rooms: pure. No IO, no clock, no randomness.

pub mod lane;
pub mod pace;
pub mod plan;
pub mod room;
pub mod settings;
pub mod stock;
