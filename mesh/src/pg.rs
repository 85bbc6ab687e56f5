//! Postgres: bounded pools, transactions that end whatever happens to their caller, migrations, idempotent requests.
//!
//! A use case calls [`Database::transaction`] and gives store functions the connection, never the pool. Inside a transaction nothing
//! else is awaited: no gRPC, AMQP, Redis or HTTP, and no second connection. [`TxError`] is what a service maps to a status, arm by arm.

mod answer;
pub mod audit;
mod database;
mod error;
pub mod idempotency;
mod migrate;
mod pool;
pub(crate) mod schema;
mod sweep;
pub mod testing;
mod transaction;
mod watch;

pub use database::{Database, DatabaseOptions};
pub use diesel_async::AsyncPgConnection as Connection;
pub use error::{ConnectError, DomainError, TxError, constraint};
pub use migrate::{MigrateError, migrate};
pub use sweep::Sweep;
pub use transaction::{AsyncWork, clock_timestamp, now};
