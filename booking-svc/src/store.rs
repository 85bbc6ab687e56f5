//! Rows and the database: functions that take a connection, never the pool.

pub mod holds;
pub mod inventory;
