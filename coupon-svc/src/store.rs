//! Rows and the database: functions that take a connection, never the pool.

pub mod campaigns;
pub mod claim_batches;
pub mod codes;
pub mod coupons;
pub mod expiry;
pub mod grants;
pub mod issued;
pub mod reservations;
pub mod revocations;
mod schema;
pub mod stock;
mod terms;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// The tables of this service, on top of mesh's.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A row that no version of this program wrote. Boxed as diesel's own error, because it ends the transaction like one.
fn corrupt(what: impl Into<String>) -> diesel::result::Error {
    let text: String = what.into();
    diesel::result::Error::DeserializationError(text.into())
}

/// A number of the database in the size that it has here, or the other way round.
fn sized<T: TryInto<U> + Copy + std::fmt::Display, U>(number: T) -> diesel::QueryResult<U> {
    number
        .try_into()
        .map_err(|_| corrupt(format!("{number} is out of range")))
}
