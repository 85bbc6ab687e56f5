//! What the tests of this binary share.

use booking_svc::store::MIGRATIONS;
use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, migrate};

/// A migrated database of one test.
pub(crate) struct Storage {
    pub(crate) database: TestDatabase,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

impl Storage {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        migrate(database.url(), &[MIGRATIONS]).await.unwrap();
        Self { database }
    }

    /// A connection outside of any pool.
    pub(crate) async fn connection(&self) -> Connection {
        Connection::establish(self.database.url().expose())
            .await
            .unwrap()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.connection().await.batch_execute(sql).await.unwrap();
    }

    /// Column `t` of every row that `sql` answers.
    pub(crate) async fn lines(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connection().await;
        let rows: Vec<Line> = diesel::sql_query(sql).load(&mut connection).await.unwrap();
        rows.into_iter().map(|row| row.t).collect()
    }
}
