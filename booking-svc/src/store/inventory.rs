//! Pools, units and caps: what a batch of commands locks, reads and writes.
//!
//! Lock order: pools, holds, caps, each ascending; units are locked by their update, under the lock of their pool.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;
use uuid::Uuid;

use super::holds::columns;
use super::{broken, currency};
use crate::domain::hold::{MAX_LIFE_BEYOND_TTL, UnitKey};
use crate::domain::inventory::{Cap, CapKey, Pool, ShowRules, Snapshot, Unit};

mod burned;
mod grade;
mod level;
mod write;

pub use burned::{burn, burned};
pub use grade::grades_of;
pub use level::{level, pools_of};
pub use write::write;

/// Whether pools are locked before they are decided on. Only a test that shows what the lock is for turns it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolLock {
    /// As it must be.
    On,
    /// To show the oversell that the lock prevents.
    Off,
}

#[derive(QueryableByName)]
struct PoolRow {
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    start_time: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    published: bool,
    #[diesel(sql_type = Timestamptz)]
    sale_open_time: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    sale_close_time: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    units_per_buyer_max: i32,
    #[diesel(sql_type = Integer)]
    hold_ttl_seconds: i32,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Bool)]
    queue_required: bool,
    #[diesel(sql_type = BigInt)]
    sold: i64,
    #[diesel(sql_type = BigInt)]
    sales: i64,
}

#[derive(QueryableByName)]
struct UnitRow {
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = Integer)]
    ord: i32,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = Bool)]
    exclusive: bool,
    #[diesel(sql_type = Integer)]
    room: i32,
    #[diesel(sql_type = Integer)]
    held: i32,
    #[diesel(sql_type = Integer)]
    sold: i32,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
}

#[derive(QueryableByName)]
struct CapRow {
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = Text)]
    buyer: String,
    #[diesel(sql_type = Integer)]
    taken: i32,
    #[diesel(sql_type = Integer)]
    taken_max: i32,
}

/// Locks pools in ascending order and reads them with the rules of their shows. `ttl_divisor` shortens the life of holds for tests.
pub async fn lock_pools(
    connection: &mut Connection,
    pools: &BTreeSet<Uuid>,
    lock: PoolLock,
    ttl_divisor: u32,
    snapshot: &mut Snapshot,
) -> QueryResult<()> {
    if pools.is_empty() {
        return Ok(());
    }
    let select = "SELECT p.pool_id, p.show_id, f.start_time, s.state = 'PUBLISHED' AS published, s.sale_open_time, \
         s.sale_close_time, s.units_per_buyer_max, s.hold_ttl_seconds, s.currency, s.queue_required, p.sold, p.sales FROM inv_pool p \
         JOIN performance f ON f.pool_id = p.pool_id JOIN show s ON s.show_id = p.show_id \
         WHERE p.pool_id = ANY($1) ORDER BY p.pool_id";
    let query = match lock {
        PoolLock::On => format!("{select} FOR UPDATE OF p"),
        PoolLock::Off => select.to_owned(),
    };
    let ids: Vec<Uuid> = pools.iter().copied().collect();
    let rows: Vec<PoolRow> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(connection)
        .await?;
    for row in rows {
        let seconds = u64::try_from(row.hold_ttl_seconds).map_err(|_| broken("hold_ttl"))?;
        let rules = ShowRules {
            published: row.published,
            sale_open_time: row.sale_open_time,
            sale_close_time: row.sale_close_time,
            units_per_buyer_max: row.units_per_buyer_max,
            hold_ttl: Duration::from_secs(seconds) / ttl_divisor.max(1),
            beyond_ttl: MAX_LIFE_BEYOND_TTL / ttl_divisor.max(1),
            currency: currency(&row.currency)?,
            queue_required: row.queue_required,
        };
        snapshot.shows.insert(row.show_id, rules);
        let pool = Pool {
            show_id: row.show_id,
            start_time: row.start_time,
            sold: row.sold,
            sales: row.sales,
        };
        snapshot.pools.insert(row.pool_id, pool);
    }
    Ok(())
}

/// The units that exist of `keys`, with their prices. Their pools are locked.
pub async fn load_units(
    connection: &mut Connection,
    keys: &BTreeSet<UnitKey>,
) -> QueryResult<BTreeMap<UnitKey, Unit>> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = "SELECT u.pool_id, u.ord, u.grade, u.exclusive, u.capacity + u.overbook - u.blocked AS room, u.held, \
         u.sold, r.amount, r.currency FROM unnest($1::uuid[], $2::int[]) AS k(pool_id, ord) \
         JOIN inv_unit u USING (pool_id, ord) JOIN inv_pool p USING (pool_id) \
         JOIN price r ON r.performance_id = p.subject_id AND r.grade = u.grade";
    let keys: Vec<UnitKey> = keys.iter().copied().collect();
    let (pools, ords) = columns(&keys);
    let rows: Vec<UnitRow> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(pools)
        .bind::<Array<Integer>, _>(ords)
        .load(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let unit = Unit {
                grade: row.grade,
                exclusive: row.exclusive,
                room: row.room,
                held: row.held,
                sold: row.sold,
                price: Money::new(row.amount, currency(&row.currency)?),
            };
            Ok((
                UnitKey {
                    pool_id: row.pool_id,
                    ord: row.ord,
                },
                unit,
            ))
        })
        .collect()
}

/// Locks the caps of buyers in ascending order; a buyer who has nothing yet gets a row with the show's maximum.
///
/// Rows are made before the first one is locked: who waits for another's new row holds only new rows below it, so nobody waits in a ring.
pub async fn lock_caps(
    connection: &mut Connection,
    keys: &BTreeMap<CapKey, i32>,
) -> QueryResult<BTreeMap<CapKey, Cap>> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let shows: Vec<Uuid> = keys.keys().map(|(show_id, _)| *show_id).collect();
    let buyers: Vec<&str> = keys.keys().map(|(_, buyer)| buyer.as_str()).collect();
    let maxima: Vec<i32> = keys.values().copied().collect();
    diesel::sql_query(
        "INSERT INTO buyer_cap (show_id, buyer, taken, taken_max) SELECT show_id, buyer, 0, k.taken_max \
         FROM unnest($1::uuid[], $2::text[], $3::int[]) AS k(show_id, buyer, taken_max) \
         LEFT JOIN buyer_cap b USING (show_id, buyer) WHERE b.taken IS NULL \
         ORDER BY show_id, buyer ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(&shows)
    .bind::<Array<Text>, _>(&buyers)
    .bind::<Array<Integer>, _>(maxima)
    .execute(connection)
    .await?;
    select_caps(connection, &shows, &buyers).await
}

async fn select_caps(
    connection: &mut Connection,
    shows: &[Uuid],
    buyers: &[&str],
) -> QueryResult<BTreeMap<CapKey, Cap>> {
    let rows: Vec<CapRow> = diesel::sql_query(
        "SELECT b.show_id, b.buyer, b.taken, b.taken_max FROM buyer_cap b \
         JOIN unnest($1::uuid[], $2::text[]) AS k(show_id, buyer) USING (show_id, buyer) \
         ORDER BY b.show_id, b.buyer FOR UPDATE OF b",
    )
    .bind::<Array<SqlUuid>, _>(shows)
    .bind::<Array<Text>, _>(buyers)
    .load(connection)
    .await?;
    let cap = |row: CapRow| {
        (
            (row.show_id, row.buyer),
            Cap {
                taken: row.taken,
                taken_max: row.taken_max,
            },
        )
    };
    Ok(rows.into_iter().map(cap).collect())
}
