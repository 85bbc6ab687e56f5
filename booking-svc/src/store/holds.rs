//! Holds and their claims.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;
use uuid::Uuid;

use super::{broken, currency};
use crate::domain::hold::{ClaimState, Hold, HoldLine, HoldState, UnitKey};

/// What is locked when holds are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Nothing.
    No,
    /// The hold rows, in ascending order of id.
    ForUpdate,
}

#[derive(QueryableByName)]
struct HoldRow {
    #[diesel(sql_type = SqlUuid)]
    hold_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    account_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    buyer_reference: Option<String>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Binary)]
    request_hash: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    total_amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Timestamptz)]
    expire_time: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    max_expire_time: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    create_time: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct ClaimRow {
    #[diesel(sql_type = SqlUuid)]
    hold_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = Integer)]
    ord: i32,
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = Integer)]
    quantity: i32,
    #[diesel(sql_type = Bool)]
    exclusive: bool,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = BigInt)]
    unit_amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
}

#[derive(QueryableByName)]
struct PoolOfRow {
    #[diesel(sql_type = SqlUuid)]
    hold_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

const SELECT_HOLDS: &str = "SELECT hold_id, account_id, buyer_reference, state, request_hash, total_amount, \
     currency, expire_time, max_expire_time, create_time FROM hold WHERE hold_id = ANY($1) ORDER BY hold_id";

const SELECT_CLAIMS: &str = "SELECT c.hold_id, c.pool_id, c.ord, p.show_id, c.quantity, c.exclusive, c.state, c.grade, \
     c.unit_amount, c.currency FROM claim c JOIN inv_pool p USING (pool_id) WHERE c.hold_id = ANY($1) \
     ORDER BY c.hold_id, c.pool_id, c.ord";

/// The holds that exist of `ids`.
pub async fn load(
    connection: &mut Connection,
    ids: &[Uuid],
    lock: Lock,
) -> QueryResult<BTreeMap<Uuid, Hold>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = match lock {
        Lock::No => SELECT_HOLDS.to_owned(),
        Lock::ForUpdate => format!("{SELECT_HOLDS} FOR UPDATE"),
    };
    let rows: Vec<HoldRow> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(connection)
        .await?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut lines = lines(connection, ids).await?;
    rows.into_iter()
        .map(|row| {
            let (lines, freed) = lines.remove(&row.hold_id).unwrap_or_default();
            Ok((row.hold_id, hold(row, lines, freed)?))
        })
        .collect()
}

/// One hold, unlocked.
pub async fn get(connection: &mut Connection, hold_id: Uuid) -> QueryResult<Option<Hold>> {
    Ok(load(connection, &[hold_id], Lock::No)
        .await?
        .remove(&hold_id))
}

/// Holds of an account, newest first, those in `state` if it is given, behind `after`.
pub async fn list(
    connection: &mut Connection,
    account_id: Uuid,
    state: Option<HoldState>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Hold>> {
    let query = "SELECT hold_id AS id FROM hold WHERE account_id = $1 AND ($2 IS NULL OR state = $2) \
         AND ($3 IS NULL OR (create_time, hold_id) < ($3, $4)) ORDER BY create_time DESC, hold_id DESC LIMIT $5";
    let ids = ids(diesel::sql_query(query)
        .bind::<SqlUuid, _>(account_id)
        .bind::<Nullable<Text>, _>(state.map(HoldState::name))
        .bind::<Nullable<Timestamptz>, _>(after.map(|(time, _)| time))
        .bind::<Nullable<SqlUuid>, _>(after.map(|(_, hold_id)| hold_id))
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await?)?;
    let mut holds = load(connection, &ids, Lock::No).await?;
    Ok(ids.iter().filter_map(|id| holds.remove(id)).collect())
}

/// Lines of a hold, and the units that it does not have any more.
type Lines = (Vec<HoldLine>, BTreeSet<UnitKey>);

async fn lines(connection: &mut Connection, ids: &[Uuid]) -> QueryResult<BTreeMap<Uuid, Lines>> {
    let claims: Vec<ClaimRow> = diesel::sql_query(SELECT_CLAIMS)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(connection)
        .await?;
    let mut lines: BTreeMap<Uuid, Lines> = BTreeMap::new();
    for claim in claims {
        let (lines, freed) = lines.entry(claim.hold_id).or_default();
        let line = HoldLine {
            unit: UnitKey {
                pool_id: claim.pool_id,
                ord: claim.ord,
            },
            show_id: claim.show_id,
            exclusive: claim.exclusive,
            quantity: claim.quantity,
            grade: claim.grade,
            unit_price: Money::new(claim.unit_amount, currency(&claim.currency)?),
        };
        if claim.state == ClaimState::Freed.name() {
            freed.insert(line.unit);
        }
        lines.push(line);
    }
    Ok(lines)
}

fn hold(row: HoldRow, lines: Vec<HoldLine>, freed: BTreeSet<UnitKey>) -> QueryResult<Hold> {
    let state = state(&row.state)?;
    Ok(Hold {
        hold_id: row.hold_id,
        account_id: row.account_id,
        buyer_reference: row.buyer_reference,
        state,
        request_hash: row.request_hash,
        lines,
        returned: match state {
            HoldState::Confirmed => freed,
            _ => BTreeSet::new(),
        },
        total: Money::new(row.total_amount, currency(&row.currency)?),
        expire_time: row.expire_time,
        max_expire_time: row.max_expire_time,
        create_time: row.create_time,
    })
}

fn state(text: &str) -> QueryResult<HoldState> {
    use HoldState::{Closing, Confirmed, Expired, Held, Paying, Released};
    [Held, Paying, Closing, Confirmed, Released, Expired]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| broken(format!("hold state {text}")))
}

/// Compare-and-set of a hold's state that moves no counter. Answers whether it was `from`.
pub async fn turn(
    connection: &mut Connection,
    hold_id: Uuid,
    from: HoldState,
    to: HoldState,
) -> QueryResult<bool> {
    let rows = diesel::sql_query("UPDATE hold SET state = $3 WHERE hold_id = $1 AND state = $2")
        .bind::<SqlUuid, _>(hold_id)
        .bind::<Text, _>(from.name())
        .bind::<Text, _>(to.name())
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// PAYING back to HELD until `expire_time`: the buyer keeps the units. Answers whether it was PAYING.
pub async fn back_to_held(
    connection: &mut Connection,
    hold_id: Uuid,
    expire_time: DateTime<Utc>,
) -> QueryResult<bool> {
    let query =
        "UPDATE hold SET state = 'HELD', expire_time = $2 WHERE hold_id = $1 AND state = 'PAYING'";
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(hold_id)
        .bind::<Timestamptz, _>(expire_time);
    Ok(query.execute(connection).await? == 1)
}

/// Holds whose time is up, longest overdue first.
pub async fn due(connection: &mut Connection, limit: i64) -> QueryResult<Vec<Uuid>> {
    let query = "SELECT hold_id AS id FROM hold WHERE state = 'HELD' AND expire_time <= clock_timestamp() \
         ORDER BY expire_time LIMIT $1";
    ids(diesel::sql_query(query)
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await?)
}

/// Overdue holds that stand in the way: those on `units`, and those of `buyers`.
pub async fn overdue_in_the_way(
    connection: &mut Connection,
    units: &[UnitKey],
    buyers: &[String],
    limit: i64,
) -> QueryResult<Vec<Uuid>> {
    let query = "SELECT h.hold_id AS id FROM hold h WHERE h.state = 'HELD' AND h.expire_time <= clock_timestamp() \
         AND (coalesce(h.buyer_reference, h.account_id::text) = ANY($3) OR EXISTS (SELECT FROM claim c \
         JOIN unnest($1::uuid[], $2::int[]) AS k(pool_id, ord) USING (pool_id, ord) WHERE c.hold_id = h.hold_id)) \
         ORDER BY h.expire_time LIMIT $4";
    let (pools, ords) = columns(units);
    let query = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(pools)
        .bind::<Array<Integer>, _>(ords)
        .bind::<Array<Text>, _>(buyers)
        .bind::<BigInt, _>(limit);
    ids(query.load(connection).await?)
}

/// Pools that the claims of `holds` are in, by hold. Claims never move, so no lock is needed.
pub async fn pools_of(
    connection: &mut Connection,
    holds: &[Uuid],
) -> QueryResult<Vec<(Uuid, Uuid)>> {
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT DISTINCT hold_id, pool_id FROM claim WHERE hold_id = ANY($1)";
    let rows: Vec<PoolOfRow> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(holds)
        .load(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.hold_id, row.pool_id))
        .collect())
}

fn ids(rows: Vec<IdRow>) -> QueryResult<Vec<Uuid>> {
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Units as two columns for `unnest`.
pub(crate) fn columns(units: &[UnitKey]) -> (Vec<Uuid>, Vec<i32>) {
    units.iter().map(|unit| (unit.pool_id, unit.ord)).unzip()
}
