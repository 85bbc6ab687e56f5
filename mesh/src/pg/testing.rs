//! A database of its own for every test. Compiled always: it is small, and a feature would build mesh twice.

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use thiserror::Error;
use tracing::error;

use super::pool::{SILENCE, establish};
use crate::config::{Env, ProcessEnv, Secret, Variable};
use crate::id;

/// Database in which tests may create others.
pub const DATABASE_ADMIN_URL: Variable = Variable::required(
    "USHER_DATABASE_ADMIN_URL",
    "Postgres database in which tests may create others",
)
.secret();

/// Why there is no database for a test.
#[derive(Debug, Error)]
pub enum TestDatabaseError {
    /// Nobody said where.
    #[error(
        "USHER_DATABASE_ADMIN_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`"
    )]
    NoServer,
    /// The server cannot be reached.
    #[error("cannot connect to the test server: run `dev/stack up --name test`")]
    Connect(#[from] ConnectionError),
    /// The server refused.
    #[error("cannot create a database")]
    Create(#[from] diesel::result::Error),
    /// The URL names no database.
    #[error("USHER_DATABASE_ADMIN_URL does not end in /database")]
    Url,
}

/// An empty database, dropped together with this value.
#[derive(Debug)]
pub struct TestDatabase {
    admin: Secret,
    url: Secret,
    name: String,
}

impl TestDatabase {
    /// Creates one on the server of `USHER_DATABASE_ADMIN_URL`.
    pub async fn create() -> Result<Self, TestDatabaseError> {
        let url = ProcessEnv
            .get(DATABASE_ADMIN_URL.name)
            .ok_or(TestDatabaseError::NoServer)?;
        Self::create_on(Secret::new(url)).await
    }

    /// Creates one on the server of `admin`.
    pub async fn create_on(admin: Secret) -> Result<Self, TestDatabaseError> {
        let name = format!("test_{}", id::new().simple());
        let url = with_database(admin.expose(), &name).ok_or(TestDatabaseError::Url)?;
        let mut connection = connect(&admin).await?;
        connection
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await?;
        Ok(Self {
            admin,
            url: Secret::new(url),
            name,
        })
    }

    /// URL of the database.
    #[must_use]
    pub fn url(&self) -> &Secret {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A thread with a runtime of its own: this may run inside another runtime, and while a test panics.
        let dropped = std::thread::spawn(move || drop_database(&admin, &name)).join();
        if !matches!(dropped, Ok(Ok(()))) {
            error!(database = self.name, outcome = ?dropped, "a test database was left behind");
        }
    }
}

fn drop_database(
    admin: &Secret,
    name: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut connection = connect(admin).await?;
        connection
            .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await?;
        Ok(())
    })
}

async fn connect(admin: &Secret) -> Result<AsyncPgConnection, ConnectionError> {
    let session = "SET application_name = 'test database'";
    establish(admin.expose(), session, SILENCE).await
}

/// `url` with another database, its query kept.
fn with_database(url: &str, name: &str) -> Option<String> {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let (server, _) = base
        .rsplit_once('/')
        .filter(|(server, _)| !server.ends_with('/'))?;
    Some(match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_of_a_url_changes() {
        let at = |url| with_database(url, "x");
        assert_eq!(
            at("postgres://u:p@h:1/a").as_deref(),
            Some("postgres://u:p@h:1/x")
        );
        assert_eq!(
            at("postgres://h/a?sslmode=disable").as_deref(),
            Some("postgres://h/x?sslmode=disable")
        );
        assert_eq!(at("postgres://h"), None);
    }
}
