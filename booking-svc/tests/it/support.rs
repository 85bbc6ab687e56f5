//! What the tests of this binary share.

use booking_svc::store::MIGRATIONS;
use diesel::QueryableByName;
use diesel::sql_types::{Binary, Text};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, migrate};
use prost::{Message, Name};

/// A migrated database of one test.
pub(crate) struct Storage {
    pub(crate) database: TestDatabase,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

#[derive(QueryableByName)]
struct Payload {
    #[diesel(sql_type = Binary)]
    payload: Vec<u8>,
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

    /// The messages of one kind that wait for the broker, in order.
    pub(crate) async fn told<M: Message + Name + Default>(&self) -> Vec<M> {
        let mut connection = self.connection().await;
        let query = "SELECT payload FROM outbox WHERE type = $1 ORDER BY id";
        let rows: Vec<Payload> = diesel::sql_query(query)
            .bind::<Text, _>(M::full_name())
            .load(&mut connection)
            .await
            .unwrap();
        let decode = |row: Payload| M::decode(row.payload.as_slice()).unwrap();
        rows.into_iter().map(decode).collect()
    }
}
