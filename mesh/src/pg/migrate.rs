//! Migrations at start, one process at a time.

use std::collections::BTreeSet;

use diesel::ConnectionError;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use thiserror::Error;
use tracing::info;

use super::pool::{SILENCE, establish};
use crate::config::Secret;

const MESH: EmbeddedMigrations = embed_migrations!("migrations");

/// Locks of migrations: "usher" in ASCII, so that nobody else takes the number by accident.
const LOCK: i64 = 0x75_73_68_65_72;

/// A peer's migrations may take this long before we give up waiting for them; a statement of ours may take no longer either.
const SESSION: &str =
    "SET lock_timeout = '60s'; SET statement_timeout = '60s'; SET application_name = 'migrate'";

/// Why a database could not be brought up to date.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// No connection.
    #[error("cannot connect to the database")]
    Connect(#[from] ConnectionError),
    /// The lock did not come: another instance migrates for more than a minute.
    #[error("another instance holds the migration lock")]
    Lock(#[source] diesel::result::Error),
    /// Two migrations share a version, so the later one would never run.
    #[error("two migrations have version {0}")]
    SameVersion(String),
    /// A migration failed; its transaction was rolled back.
    #[error("a migration failed")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs mesh's migrations and then `sources`, each in order, those that are not applied yet. Instances that start together wait for each
/// other: the session holds an advisory lock until it ends. Needs a multi-thread runtime and must not stand in a `select!`: the harness blocks in place.
pub async fn migrate(url: &Secret, sources: &[EmbeddedMigrations]) -> Result<(), MigrateError> {
    let all: Vec<&EmbeddedMigrations> = std::iter::once(&MESH).chain(sources).collect();
    check_versions(&all)?;
    let mut connection = establish(url.expose(), SESSION, SILENCE).await?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(LOCK)
        .execute(&mut connection)
        .await
        .map_err(MigrateError::Lock)?;
    let mut harness = AsyncMigrationHarness::new(connection);
    for source in all {
        let applied = harness
            .run_pending_migrations(Borrowed(source))
            .map_err(MigrateError::Migration)?;
        for version in applied {
            info!(version = %version, "migrated the database to {version}");
        }
    }
    Ok(())
}

/// diesel takes a source by value, and an embedded one cannot be cloned.
struct Borrowed<'a>(&'a EmbeddedMigrations);

impl MigrationSource<Pg> for Borrowed<'_> {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        self.0.migrations()
    }
}

fn check_versions(sources: &[&EmbeddedMigrations]) -> Result<(), MigrateError> {
    let mut seen = BTreeSet::new();
    for source in sources {
        let migrations: Vec<Box<dyn Migration<Pg>>> =
            source.migrations().map_err(MigrateError::Migration)?;
        for migration in migrations {
            let version = migration.name().version().to_string();
            if !seen.insert(version.clone()) {
                return Err(MigrateError::SameVersion(version));
            }
        }
    }
    Ok(())
}
