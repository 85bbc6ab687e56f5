//! What is left of campaigns, in parts.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::campaign_stock;
use super::sized;

/// Parts of a stock: more than instances, so that two of them rarely meet. The number stands in the table's CHECK, too.
pub const SHARDS: i16 = 16;

/// Lays out the stock of a campaign that opens.
pub async fn lay_out(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    stock: i64,
) -> QueryResult<()> {
    let (each, rest) = (stock / i64::from(SHARDS), stock % i64::from(SHARDS));
    let part = |shard: i16| {
        (
            campaign_stock::campaign_id.eq(campaign_id),
            campaign_stock::shard.eq(shard),
            campaign_stock::remaining.eq(each + i64::from(i64::from(shard) < rest)),
        )
    };
    let parts: Vec<_> = (0..SHARDS).map(part).collect();
    diesel::insert_into(campaign_stock::table)
        .values(parts)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether parts are locked before they are counted. Only a test that shows what the lock is for turns it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartLock {
    /// As it must be.
    On,
    /// To show the over-issue that lock and CHECK prevent.
    Off,
}

/// Takes up to `wanted` coupons: of the part `home`, or where that has too few, of all of them. Answers how many were taken and whether
/// none is left.
pub async fn take(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    home: i16,
    wanted: usize,
    lock: PartLock,
) -> QueryResult<(usize, bool)> {
    let count: i64 = sized(wanted)?;
    let parts = campaign_stock::table.filter(campaign_stock::campaign_id.eq(campaign_id));
    let enough = parts
        .filter(campaign_stock::shard.eq(home))
        // A part that becomes empty may be the last one: that is seen below.
        .filter(campaign_stock::remaining.gt(count));
    diesel::sql_query("SAVEPOINT home")
        .execute(connection)
        .await?;
    let taken = diesel::update(enough)
        .set(campaign_stock::remaining.eq(campaign_stock::remaining - count))
        .execute(connection)
        .await?;
    if taken > 0 {
        return Ok((wanted, false));
    }
    // A row that was waited for and has too few stays locked: without this, parts would be locked out of their order below.
    let release = "ROLLBACK TO SAVEPOINT home";
    diesel::sql_query(release).execute(connection).await?;
    let parts = parts
        .order(campaign_stock::shard)
        .select((campaign_stock::shard, campaign_stock::remaining));
    let left: Vec<(i16, i64)> = match lock {
        PartLock::On => parts.for_update().load(connection).await?,
        PartLock::Off => parts.load(connection).await?,
    };
    let mut missing = count;
    let all: i64 = left.iter().map(|(_, remaining)| remaining).sum();
    // Its own part first, the others as they come.
    let (mine, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|(shard, _)| *shard == home);
    for (shard, remaining) in mine.into_iter().chain(others) {
        let part = missing.min(remaining);
        if part > 0 {
            diesel::update(campaign_stock::table.find((campaign_id, shard)))
                .set(campaign_stock::remaining.eq(campaign_stock::remaining - part))
                .execute(connection)
                .await?;
            missing -= part;
        }
    }
    let taken = count - missing;
    Ok((sized(taken)?, taken == all))
}

/// How many are left of a campaign with a limit that is open.
pub async fn remaining(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
) -> QueryResult<Option<i64>> {
    let parts: Vec<i64> = campaign_stock::table
        .filter(campaign_stock::campaign_id.eq(campaign_id))
        .select(campaign_stock::remaining)
        .load(connection)
        .await?;
    Ok((!parts.is_empty()).then(|| parts.iter().sum()))
}
