//! What the tests of this binary share.

use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, Database, DatabaseOptions, migrate};
use mesh::tasks::Tasks;

/// No condition of these tests takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A migrated database with its pools.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) tasks: Tasks,
    // Last: dropped after everything that uses it.
    pub(crate) storage: TestDatabase,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(DatabaseOptions::new("test")).await
    }

    pub(crate) async fn with(options: DatabaseOptions) -> Self {
        let storage = TestDatabase::create().await.unwrap();
        migrate(storage.url(), &[]).await.unwrap();
        let tasks = Tasks::new();
        let database = Database::connect(storage.url(), &options, &tasks)
            .await
            .unwrap();
        let fixture = Self {
            database,
            tasks,
            storage,
        };
        fixture
            .sql("CREATE TABLE effect (n bigint NOT NULL, label text NOT NULL)")
            .await;
        fixture
    }

    /// A connection outside of the pools.
    pub(crate) async fn connection(&self) -> Connection {
        Connection::establish(self.storage.url().expose())
            .await
            .unwrap()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.connection().await.batch_execute(sql).await.unwrap();
    }

    /// The number that `sql` answers, read on a connection of its own.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        number(&mut self.connection().await, sql).await.unwrap()
    }

    /// Lets nobody connect to the database of `other`, or everybody again, as if its server were away.
    pub(crate) async fn forbid(&self, other: &Self, away: bool) {
        let name = other.storage.url().expose().rsplit('/').next().unwrap();
        self.sql(&format!(
            "ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {}",
            !away
        ))
        .await;
        if away {
            self.sql(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .await;
        }
    }

    /// Transactions that other sessions of this database have open.
    pub(crate) async fn open_transactions(&self) -> i64 {
        self.number(
            "SELECT count(*) AS n FROM pg_stat_activity
             WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )
        .await
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

/// The column `n` of the one row that `sql` answers.
pub(crate) async fn number(connection: &mut Connection, sql: &str) -> QueryResult<i64> {
    let row: Number = diesel::sql_query(sql).get_result(connection).await?;
    Ok(row.n)
}

/// The column `t` of the one row that `sql` answers.
pub(crate) async fn text(connection: &mut Connection, sql: &str) -> QueryResult<String> {
    let row: Line = diesel::sql_query(sql).get_result(connection).await?;
    Ok(row.t)
}

/// Inserts an effect.
pub(crate) async fn insert(connection: &mut Connection, n: i64, label: &str) -> QueryResult<()> {
    diesel::sql_query("INSERT INTO effect (n, label) VALUES ($1, $2)")
        .bind::<BigInt, _>(n)
        .bind::<Text, _>(label)
        .execute(connection)
        .await?;
    Ok(())
}

/// Waits for `event`; fails with `what` when it never comes.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(_) => panic!("never happened: {what}"),
    }
}

/// Waits until `condition` holds; fails with `what` when it never does.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(what, wait).await;
}
