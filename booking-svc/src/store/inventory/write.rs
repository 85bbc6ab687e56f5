//! What a batch decided, in as many statements as there are tables.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::grade;
use super::level::LevelRow;
use crate::domain::hold::{Hold, UnitKey};
use crate::domain::inventory::{CapKey, Change, Passed, PoolLevel, Snapshot};

/// Writes the changes of a batch: `before` as it was read, `after` as the decider left it. Answers the pools that passed something.
///
/// Counters are written as differences, so that a decision on stale rows meets the CHECK constraints instead of overwriting.
pub async fn write(
    connection: &mut Connection,
    before: &Snapshot,
    after: &Snapshot,
    changes: &[Change],
) -> QueryResult<Vec<(PoolLevel, Passed)>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    // A hold may be made and released within one batch: the last state counts, the first `from` tells whether it is new.
    let mut new: BTreeSet<Uuid> = BTreeSet::new();
    let mut last: BTreeMap<Uuid, &Hold> = BTreeMap::new();
    for change in changes {
        if change.from.is_none() {
            new.insert(change.hold.hold_id);
        }
        last.insert(change.hold.hold_id, &change.hold);
    }
    let (made, turned): (Vec<&Hold>, Vec<&Hold>) = last
        .into_values()
        .partition(|hold| new.contains(&hold.hold_id));
    // What is freed comes first: claim_one_owner is checked at once, and a new hold may take the same seat.
    update_holds(connection, &turned).await?;
    insert_holds(connection, &made).await?;
    insert_claims(connection, &made).await?;
    update_caps(connection, before, after).await?;
    update_units(connection, before, after).await?;
    let turned = grade::update(connection, before, after).await?;
    let pools = changes.iter().flat_map(|change| change.hold.pool_ids());
    update_pools(connection, before, after, &pools.collect(), &turned).await
}

async fn insert_holds(connection: &mut Connection, holds: &[&Hold]) -> QueryResult<()> {
    if holds.is_empty() {
        return Ok(());
    }
    let texts = |text: fn(&Hold) -> &'static str| -> Vec<&str> {
        holds.iter().map(|hold| text(hold)).collect()
    };
    let times = |time: fn(&Hold) -> DateTime<Utc>| -> Vec<DateTime<Utc>> {
        holds.iter().map(|hold| time(hold)).collect()
    };
    diesel::sql_query(
        "INSERT INTO hold (hold_id, account_id, buyer_reference, state, request_hash, total_amount, currency, \
         expire_time, max_expire_time, create_time) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], \
         $4::text[], $5::bytea[], $6::bigint[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[])",
    )
    .bind::<Array<SqlUuid>, _>(holds.iter().map(|hold| hold.hold_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(holds.iter().map(|hold| hold.account_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(
        holds.iter().map(|hold| hold.buyer_reference.as_deref()).collect::<Vec<_>>(),
    )
    .bind::<Array<Text>, _>(texts(|hold| hold.state.name()))
    .bind::<Array<Binary>, _>(
        holds.iter().map(|hold| hold.request_hash.as_slice()).collect::<Vec<_>>(),
    )
    .bind::<Array<BigInt>, _>(holds.iter().map(|hold| hold.total.minor_units).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(texts(|hold| hold.total.currency.code()))
    .bind::<Array<Timestamptz>, _>(times(|hold| hold.expire_time))
    .bind::<Array<Timestamptz>, _>(times(|hold| hold.max_expire_time))
    .bind::<Array<Timestamptz>, _>(times(|hold| hold.create_time))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_claims(connection: &mut Connection, holds: &[&Hold]) -> QueryResult<()> {
    let lines: Vec<_> = holds
        .iter()
        .flat_map(|hold| hold.lines.iter().map(move |line| (hold, line)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO claim (hold_id, pool_id, ord, quantity, exclusive, state, grade, unit_amount, currency) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bool[], $6::text[], $7::text[], \
         $8::bigint[], $9::text[])",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|(hold, _)| hold.hold_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|(_, line)| line.unit.pool_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|(_, line)| line.unit.ord).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|(_, line)| line.quantity).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(lines.iter().map(|(_, line)| line.exclusive).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(
        lines.iter().map(|(hold, _)| hold.state.claims().name()).collect::<Vec<_>>(),
    )
    .bind::<Array<Text>, _>(lines.iter().map(|(_, line)| line.grade.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(
        lines.iter().map(|(_, line)| line.unit_price.minor_units).collect::<Vec<_>>(),
    )
    .bind::<Array<Text>, _>(
        lines.iter().map(|(_, line)| line.unit_price.currency.code()).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_holds(connection: &mut Connection, holds: &[&Hold]) -> QueryResult<()> {
    if holds.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = holds.iter().map(|hold| hold.hold_id).collect();
    let states: Vec<&str> = holds.iter().map(|hold| hold.state.name()).collect();
    diesel::sql_query(
        "UPDATE hold h SET state = d.state FROM unnest($1::uuid[], $2::text[]) AS d(hold_id, state) \
         WHERE h.hold_id = d.hold_id",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<Text>, _>(states)
    .execute(connection)
    .await?;
    let claims = holds
        .iter()
        .flat_map(|hold| hold.lines.iter().map(|line| (*hold, line.unit)));
    let claims: Vec<(&Hold, UnitKey)> = claims.collect();
    diesel::sql_query(
        "UPDATE claim c SET state = d.state FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[]) AS d(hold_id, pool_id, ord, state) \
         WHERE c.hold_id = d.hold_id AND c.pool_id = d.pool_id AND c.ord = d.ord AND c.state <> d.state",
    )
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|(hold, _)| hold.hold_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|(_, unit)| unit.pool_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(claims.iter().map(|(_, unit)| unit.ord).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(claims.iter().map(|(hold, unit)| hold.claim(unit).name()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_caps(
    connection: &mut Connection,
    before: &Snapshot,
    after: &Snapshot,
) -> QueryResult<()> {
    let taken =
        |snapshot: &Snapshot, key: &CapKey| snapshot.caps.get(key).map_or(0, |cap| cap.taken);
    let moved: Vec<(&CapKey, i32)> = after
        .caps
        .keys()
        .map(|key| (key, taken(after, key) - taken(before, key)))
        .filter(|(_, by)| *by != 0)
        .collect();
    if moved.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE buyer_cap b SET taken = b.taken + d.by FROM unnest($1::uuid[], $2::text[], $3::int[]) \
         AS d(show_id, buyer, by) WHERE b.show_id = d.show_id AND b.buyer = d.buyer",
    )
    .bind::<Array<SqlUuid>, _>(moved.iter().map(|((show_id, _), _)| *show_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(moved.iter().map(|((_, buyer), _)| buyer.as_str()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(moved.iter().map(|(_, by)| *by).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_units(
    connection: &mut Connection,
    before: &Snapshot,
    after: &Snapshot,
) -> QueryResult<()> {
    let counters = |snapshot: &Snapshot, key: &UnitKey| {
        snapshot
            .units
            .get(key)
            .map_or((0, 0), |unit| (unit.held, unit.sold))
    };
    let mut moved: Vec<(UnitKey, i32, i32)> = Vec::new();
    for key in after.units.keys() {
        let ((held, sold), (held_before, sold_before)) =
            (counters(after, key), counters(before, key));
        if (held, sold) != (held_before, sold_before) {
            moved.push((*key, held - held_before, sold - sold_before));
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE inv_unit u SET held = u.held + d.held, sold = u.sold + d.sold \
         FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) AS d(pool_id, ord, held, sold) \
         WHERE u.pool_id = d.pool_id AND u.ord = d.ord",
    )
    .bind::<Array<SqlUuid>, _>(
        moved
            .iter()
            .map(|(key, _, _)| key.pool_id)
            .collect::<Vec<_>>(),
    )
    .bind::<Array<Integer>, _>(moved.iter().map(|(key, _, _)| key.ord).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(moved.iter().map(|(_, held, _)| *held).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(moved.iter().map(|(_, _, sold)| *sold).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A pool whose units or holds changed has a new version, also when as much of it is sold as before.
async fn update_pools(
    connection: &mut Connection,
    before: &Snapshot,
    after: &Snapshot,
    pools: &BTreeSet<Uuid>,
    turned: &BTreeSet<Uuid>,
) -> QueryResult<Vec<(PoolLevel, Passed)>> {
    let counters = |snapshot: &Snapshot, pool_id: &Uuid| {
        let pool = snapshot.pools.get(pool_id);
        pool.map_or((0, 0), |pool| (pool.sold, pool.sales))
    };
    let moved = pools.iter().map(|pool_id| {
        let ((sold, sales), (sold_before, sales_before)) =
            (counters(after, pool_id), counters(before, pool_id));
        (*pool_id, (sold - sold_before, sales - sales_before))
    });
    let moved: BTreeMap<Uuid, (i64, i64)> = moved.collect();
    let rows: Vec<LevelRow> = diesel::sql_query(
        "UPDATE inv_pool p SET version = p.version + 1, sold = p.sold + d.sold, sales = p.sales + d.sales \
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS d(pool_id, sold, sales) WHERE p.pool_id = d.pool_id \
         RETURNING p.pool_id, p.show_id, p.version, p.room, p.sold, p.sales",
    )
    .bind::<Array<SqlUuid>, _>(moved.keys().copied().collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(moved.values().map(|(sold, _)| *sold).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(moved.values().map(|(_, sales)| *sales).collect::<Vec<_>>())
    .load(connection)
    .await?;
    let mut levels: Vec<PoolLevel> = rows.into_iter().map(PoolLevel::from).collect();
    levels.sort_by_key(|level| level.pool_id);
    let passed = levels.into_iter().filter_map(|level| {
        let (sold, _) = moved.get(&level.pool_id)?;
        let turned = turned.contains(&level.pool_id);
        Some((level, level.passed(level.sold - sold, turned)?))
    });
    Ok(passed.collect())
}
