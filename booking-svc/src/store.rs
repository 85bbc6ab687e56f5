//! Rows and the database: functions that take a connection, never the pool.

pub mod bookings;
pub mod holds;
pub mod inventory;
pub mod sagas;
pub mod tickets;
