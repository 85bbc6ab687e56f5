//! Rules of waiting rooms: pure. No IO, no clock, no randomness.

pub mod draw;
pub mod forecast;
pub mod lane;
pub mod lottery;
pub mod pace;
pub mod plan;
pub mod room;
pub mod settings;
pub mod stock;
