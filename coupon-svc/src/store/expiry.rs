//! Campaigns whose time is over.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::campaign::State;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    campaign_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    claim_close_time: DateTime<Utc>,
}

/// Makes OPEN campaigns EXPIRED whose claim window is over, `most` at once; answers them and when it ended. What somebody else changes now is
/// left to the next round, also to that of another instance.
pub async fn expire(
    connection: &mut AsyncPgConnection,
    most: i64,
) -> QueryResult<Vec<(Uuid, DateTime<Utc>)>> {
    let rows: Vec<Row> = diesel::sql_query(
        "UPDATE campaign SET state = $1, version = version + 1 WHERE campaign_id IN ( \
             SELECT campaign_id FROM campaign WHERE state = $2 AND claim_close_time <= clock_timestamp() \
             ORDER BY claim_close_time LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) \
         RETURNING campaign_id, claim_close_time",
    )
    .bind::<Text, _>(State::Expired.name())
    .bind::<Text, _>(State::Open.name())
    .bind::<BigInt, _>(most)
    .load(connection)
    .await?;
    let expired = rows.into_iter();
    Ok(expired
        .map(|row| (row.campaign_id, row.claim_close_time))
        .collect())
}
