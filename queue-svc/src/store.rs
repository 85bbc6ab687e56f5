//! Rows and the database: functions that take a connection, never the pool.

pub mod draws;
pub mod invitations;
pub mod places;
pub mod rooms;
mod schema;
pub mod shows;
pub mod stock;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// The tables of this service, on top of mesh's.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A row that no version of this program wrote. Boxed as diesel's own error, because it ends the transaction like one.
fn corrupt(what: impl Into<String>) -> diesel::result::Error {
    let text: String = what.into();
    diesel::result::Error::DeserializationError(text.into())
}

/// A number that the database keeps in 64 bits with a sign.
fn signed(number: u64) -> diesel::QueryResult<i64> {
    i64::try_from(number).map_err(|_| corrupt(format!("{number} is too large")))
}

/// A count of the database, none of which is negative.
fn natural<T: TryInto<U> + Copy + std::fmt::Display, U>(number: T) -> diesel::QueryResult<U> {
    number
        .try_into()
        .map_err(|_| corrupt(format!("{number} is out of range")))
}
