//! What others hear of the pools: waiting rooms tell people their chances by it.

use std::collections::BTreeSet;

use diesel::QueryResult;
use mesh::outbox;
use mesh::pg::Connection;
use proto::usher::booking::events::v1::{InventoryChanged, InventoryReturned, InventorySoldOut};
use uuid::Uuid;

use crate::domain::inventory::{Passed, PoolLevel};
use crate::publish;
use crate::store::inventory as store;

/// Tells of a pool that was made in this transaction. Its show is locked.
pub async fn opened(connection: &mut Connection, pool_id: Uuid) -> QueryResult<()> {
    let level = store::level(connection, pool_id).await?;
    tell(connection, &[(level, Passed::Step)]).await
}

/// Tells what pools passed in this transaction, which has their locks.
pub async fn tell(connection: &mut Connection, passed: &[(PoolLevel, Passed)]) -> QueryResult<()> {
    if passed.is_empty() {
        return Ok(());
    }
    let shows: BTreeSet<Uuid> = passed.iter().map(|(level, _)| level.show_id).collect();
    let pools = store::pools_of(connection, &shows).await?;
    let told = passed.iter().map(|(level, _)| level.pool_id).collect();
    let mut grades = store::grades_of(connection, &told).await?;
    for (level, passed) in passed {
        let pools = pools.get(&level.show_id).copied().unwrap_or_default();
        let grades = grades.remove(&level.pool_id).unwrap_or_default();
        let (pool_id, level) = (level.pool_id, Some(publish::level(level, grades, pools)));
        match passed {
            Passed::Step => outbox::append(connection, &InventoryChanged { level }, pool_id).await,
            Passed::SoldOut => {
                outbox::append(connection, &InventorySoldOut { level }, pool_id).await
            }
            Passed::Returned => {
                outbox::append(connection, &InventoryReturned { level }, pool_id).await
            }
        }?;
    }
    Ok(())
}
