//! What a bench asks the database itself.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use mesh::id;
use mesh::pg::{Connection, Database, DatabaseOptions};
use mesh::tasks::Tasks;
use uuid::Uuid;

use crate::bench::BenchError;
use crate::bench::locked::TABLES;
use crate::bench::stage::Stage;

/// Pause between two looks, and how many looks are enough.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOKS: u32 = 6_000;
/// A copy of the table of coupons.
const COPY: &str = "CREATE TABLE raw_coupon (LIKE coupon INCLUDING ALL)";

#[derive(Debug, QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(Debug, QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    words: String,
}

/// The database of the servers.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    database: Database,
}

impl Tables {
    pub(super) async fn open(stage: &Stage, tasks: &Tasks) -> Result<Self, BenchError> {
        let options = DatabaseOptions::new("usher-bench");
        let database = Database::connect(stage.database_url(), &options, tasks).await?;
        let tables = Self { database };
        tables.run(TABLES.to_owned()).await?;
        Ok(tables)
    }

    /// Once coupon-svc has made its own.
    pub(super) async fn copy_coupons(&self) -> Result<(), BenchError> {
        self.run(COPY.to_owned()).await
    }

    pub(super) async fn run(&self, sql: String) -> Result<(), BenchError> {
        let run = async move |connection: &mut Connection| connection.batch_execute(&sql).await;
        Ok(self.database.read(run).await?)
    }

    async fn number(&self, sql: &'static str) -> Result<i64, BenchError> {
        let ask = async move |connection: &mut Connection| {
            diesel::sql_query(sql)
                .get_result::<Number>(connection)
                .await
        };
        Ok(self.database.read(ask).await?.n)
    }

    pub(super) async fn version(&self) -> Result<String, BenchError> {
        let ask = async |connection: &mut Connection| {
            let sql = "SELECT 'Postgres ' || split_part(current_setting('server_version'), ' ', 1) AS words";
            diesel::sql_query(sql).get_result::<Words>(connection).await
        };
        Ok(self.database.read(ask).await?.words)
    }

    /// Waits until the outbox has sent all there is.
    pub(super) async fn everything_is_sent(&self) -> Result<(), BenchError> {
        for _ in 0..LOOKS {
            if self.number("SELECT count(*) AS n FROM outbox").await? == 0 {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(BenchError::Contradiction(
            "the outbox is not sent".to_owned(),
        ))
    }

    /// Inserts so many coupons by one statement.
    pub(super) async fn insert(&self, campaign_id: Uuid, count: usize) -> Result<(), BenchError> {
        let ids: Vec<Uuid> = (0..count).map(|_| id::new()).collect();
        let insert = async move |connection: &mut Connection| {
            let sql = "INSERT INTO raw_coupon (coupon_id, campaign_id, account_id, n, issue_time, valid_from_time, expire_time) \
                 SELECT c, $1, c, 1, now(), now(), now() + interval '30 days' FROM unnest($2::uuid[]) AS c";
            diesel::sql_query(sql)
                .bind::<SqlUuid, _>(campaign_id)
                .bind::<Array<SqlUuid>, _>(&ids)
                .execute(connection)
                .await
        };
        self.database.read(insert).await?;
        Ok(())
    }
}
