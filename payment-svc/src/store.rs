//! Rows and the database: functions that take a connection, never the pool.

pub mod attempt;
pub mod due;
pub mod list;
pub mod payment;
pub mod refund;
mod schema;
mod words;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// The tables of this service, on top of mesh's.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A row that no version of this program wrote. Boxed as diesel's own error, because it ends the transaction like one.
fn corrupt(what: impl Into<String>) -> diesel::result::Error {
    let text: String = what.into();
    diesel::result::Error::DeserializationError(text.into())
}
