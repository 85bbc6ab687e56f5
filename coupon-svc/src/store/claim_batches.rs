//! Batches of claims that were queued.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mesh::pg::Sweep;
use uuid::Uuid;

use super::schema::claim_batch;

/// What removes batches 30 days after they were queued: who queued them has had a month to ask, and an operator to replay what was laid aside.
pub const SWEEPS: [Sweep; 1] = [(
    "claim_batch",
    "DELETE FROM claim_batch WHERE batch_id = ANY(ARRAY(
     SELECT batch_id FROM claim_batch WHERE queue_time < now() - interval '30 days' LIMIT $1))",
)];

/// A batch as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = claim_batch)]
pub struct Kept {
    /// Id.
    pub batch_id: Uuid,
    /// Campaign.
    pub campaign_id: Uuid,
    /// Who queued it.
    pub account_id: Uuid,
    /// What was asked.
    pub request_hash: Vec<u8>,
    /// When it was queued.
    pub queue_time: DateTime<Utc>,
    /// When it was decided.
    pub decide_time: Option<DateTime<Utc>>,
    /// The event that told what became of it.
    pub decided: Option<Vec<u8>>,
}

/// Adds a batch.
pub async fn insert(connection: &mut AsyncPgConnection, new: &Kept) -> QueryResult<()> {
    diesel::insert_into(claim_batch::table)
        .values(new)
        .execute(connection)
        .await?;
    Ok(())
}

/// A batch.
pub async fn find(connection: &mut AsyncPgConnection, batch_id: Uuid) -> QueryResult<Option<Kept>> {
    let query = claim_batch::table.find(batch_id);
    let query = query.select(Kept::as_select());
    query.first(connection).await.optional()
}

/// Writes down what became of a batch, if it is kept.
pub async fn decide(
    connection: &mut AsyncPgConnection,
    batch_id: Uuid,
    time: DateTime<Utc>,
    decided: &[u8],
) -> QueryResult<()> {
    diesel::update(claim_batch::table.find(batch_id))
        .set((
            claim_batch::decide_time.eq(time),
            claim_batch::decided.eq(decided),
        ))
        .execute(connection)
        .await?;
    Ok(())
}
