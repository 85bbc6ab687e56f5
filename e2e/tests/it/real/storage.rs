//! A database of one service, read from outside.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::config::Secret;
use mesh::pg::Connection;
use mesh::pg::testing::TestDatabase;
use serde_json::Value;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

pub(crate) struct Storage {
    // First: closed before its database is dropped.
    connection: Mutex<Option<Connection>>,
    database: TestDatabase,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

impl Storage {
    pub(crate) async fn create() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let connection = Mutex::new(None);
        Self {
            connection,
            database,
        }
    }

    pub(crate) fn url(&self) -> &Secret {
        self.database.url()
    }

    /// The one connection that looks from outside.
    async fn connection(&self) -> MappedMutexGuard<'_, Connection> {
        let mut slot = self.connection.lock().await;
        if slot.is_none() {
            *slot = Some(Connection::establish(self.url().expose()).await.unwrap());
        }
        MutexGuard::map(slot, |slot| slot.as_mut().unwrap())
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.connection().await;
        connection.batch_execute(sql).await.unwrap();
    }

    /// The rows of a query, each as a JSON object.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Value> {
        let query = format!("SELECT coalesce(json_agg(r), '[]')::text AS t FROM (\n{sql}\n) r");
        let mut connection = self.connection().await;
        let line: Line = diesel::sql_query(query)
            .get_result(&mut *connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        serde_json::from_str(&line.t).unwrap()
    }

    /// The first column of every row, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.rows(sql).await;
        rows.iter().map(first).collect()
    }

    /// The same for statements that lock or change rows.
    pub(crate) async fn locked_texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connection().await;
        let query = format!("WITH r (t) AS ({sql}) SELECT t::text AS t FROM r");
        let rows: Vec<Line> = diesel::sql_query(query)
            .load(&mut *connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.into_iter().map(|row| row.t).collect()
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.texts(sql).await.concat().parse().unwrap()
    }
}

fn first(row: &Value) -> String {
    match row.as_object().and_then(|row| row.values().next()) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
