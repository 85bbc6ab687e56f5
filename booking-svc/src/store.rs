//! Rows and the database: functions that take a connection, never the pool. Rows become values of the domain here and nowhere else.

use diesel::QueryResult;
use diesel::result::Error;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mesh::money::Currency;

pub mod bookings;
pub mod cancellations;
pub mod hall;
pub mod holds;
pub mod inventory;
mod json;
pub mod performance;
pub mod plan;
pub mod prices;
pub mod saga_admin;
pub mod sagas;
pub mod schema;
pub mod seats;
pub mod show;
pub mod tickets;
pub mod unit;
pub mod venue;

/// The tables of database `booking`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A row that breaks an invariant of the domain: somebody wrote around us.
fn broken(what: impl Into<String>) -> Error {
    Error::DeserializationError(what.into().into())
}

fn currency(code: &str) -> QueryResult<Currency> {
    code.parse()
        .map_err(|_| broken(format!("currency {code:?}")))
}

/// A count of the domain from a column whose CHECK keeps it from being negative.
fn count<T: TryFrom<i64>>(column: impl Into<i64>) -> QueryResult<T> {
    let number = column.into();
    T::try_from(number).map_err(|_| broken(format!("count {number}")))
}

/// A count of the domain as a column; its bound is far below the column's.
fn column<T>(count: T) -> QueryResult<i32>
where
    i32: TryFrom<T>,
{
    i32::try_from(count).map_err(|_| Error::SerializationError("a count does not fit".into()))
}
