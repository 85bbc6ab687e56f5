//! Codes, their batches, and who redeemed them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{code, code_batch, code_redemption};
use super::{corrupt, sized};
use crate::domain::code::{Batch, Hash};

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = code_batch)]
struct Row {
    batch_id: Uuid,
    campaign_id: Uuid,
    seed: Vec<u8>,
    codes: i32,
    uses_max: i64,
    stored: i32,
    create_time: DateTime<Utc>,
    revoke_time: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> QueryResult<Batch> {
        Ok(Batch {
            batch_id: self.batch_id,
            campaign_id: self.campaign_id,
            seed: self
                .seed
                .try_into()
                .map_err(|_| corrupt("code_batch_seed"))?,
            codes: sized(self.codes)?,
            uses_max: self.uses_max,
            stored: sized(self.stored)?,
            create_time: self.create_time,
            revoke_time: self.revoke_time,
        })
    }
}

/// Adds a batch whose codes are not there yet, and the request that ordered it.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    new: &Batch,
    (request_key, request_hash): (Uuid, &[u8]),
) -> QueryResult<()> {
    let row = Row {
        batch_id: new.batch_id,
        campaign_id: new.campaign_id,
        seed: new.seed.to_vec(),
        codes: sized(new.codes)?,
        uses_max: new.uses_max,
        stored: sized(new.stored)?,
        create_time: new.create_time,
        revoke_time: new.revoke_time,
    };
    diesel::insert_into(code_batch::table)
        .values((
            row,
            code_batch::request_key.eq(request_key),
            code_batch::request_hash.eq(request_hash),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// The batch that a request ordered, and what it asked.
pub async fn ordered(
    connection: &mut AsyncPgConnection,
    request_key: Uuid,
) -> QueryResult<Option<(Batch, Vec<u8>)>> {
    let row: Option<(Row, Option<Vec<u8>>)> = code_batch::table
        .filter(code_batch::request_key.eq(request_key))
        .select((Row::as_select(), code_batch::request_hash))
        .first(connection)
        .await
        .optional()?;
    row.map(|(row, hash)| Ok((row.read()?, hash.unwrap_or_default())))
        .transpose()
}

/// A batch; with `lock` nobody else changes it until the transaction ends.
pub async fn find(
    connection: &mut AsyncPgConnection,
    batch_id: Uuid,
    lock: bool,
) -> QueryResult<Option<Batch>> {
    let query = code_batch::table.find(batch_id).select(Row::as_select());
    let row: Option<Row> = if lock {
        let locked = query.for_no_key_update();
        locked.first(connection).await.optional()?
    } else {
        query.first(connection).await.optional()?
    };
    row.map(Row::read).transpose()
}

/// Batches of a campaign, newest first, those before `after`.
pub async fn list(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Batch>> {
    let rows: Vec<Row> = code_batch::table
        .filter(code_batch::campaign_id.eq(campaign_id))
        .filter(code_batch::batch_id.lt(after.unwrap_or(Uuid::max())))
        .order(code_batch::batch_id.desc())
        .limit(limit)
        .select(Row::as_select())
        .load(connection)
        .await?;
    rows.into_iter().map(Row::read).collect()
}

/// How many coupons people got with the codes of each of these batches.
pub async fn redeemed(
    connection: &mut AsyncPgConnection,
    batches: &[Uuid],
) -> QueryResult<HashMap<Uuid, u64>> {
    #[derive(QueryableByName)]
    struct Redeemed {
        #[diesel(sql_type = SqlUuid)]
        batch_id: Uuid,
        #[diesel(sql_type = BigInt)]
        coupons: i64,
    }
    let rows: Vec<Redeemed> = diesel::sql_query(
        "SELECT batch_id, sum(uses)::bigint AS coupons FROM code WHERE batch_id = ANY($1) AND uses > 0 GROUP BY batch_id",
    )
    .bind::<Array<SqlUuid>, _>(batches)
    .load(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.batch_id, sized(row.coupons)?)))
        .collect()
}

/// Stops the codes of a batch.
pub async fn revoke(
    connection: &mut AsyncPgConnection,
    batch_id: Uuid,
    time: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(code_batch::table.find(batch_id))
        .set(code_batch::revoke_time.eq(time))
        .execute(connection)
        .await?;
    Ok(())
}

/// Adds codes of a batch, up to its code number `stored`. Those that are there stay. Answers how many are new.
///
/// Ascending, so that two who add the same ones wait in one order.
pub async fn add(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
    stored: u32,
    mut hashes: Vec<Hash>,
) -> QueryResult<usize> {
    hashes.sort_unstable();
    let hashes: Vec<Vec<u8>> = hashes.into_iter().map(Vec::from).collect();
    let new = diesel::sql_query(
        "INSERT INTO code (code_hash, batch_id, uses_max) SELECT h, $1, $2 FROM unnest($3::bytea[]) AS h ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(batch.batch_id)
    .bind::<BigInt, _>(batch.uses_max)
    .bind::<Array<Binary>, _>(hashes)
    .execute(connection)
    .await?;
    let stored: i32 = sized(stored)?;
    diesel::update(code_batch::table.find(batch.batch_id))
        .filter(code_batch::stored.lt(stored))
        .set(code_batch::stored.eq(stored))
        .execute(connection)
        .await?;
    Ok(new)
}

/// Whether uses are counted by compare-and-set. Only a test that shows what it is for turns it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// As it must be.
    ByCompareAndSet,
    /// To show that one code is used twice when it is read, checked and written.
    ByReadAndWrite,
}

/// Takes one use of a code that has one. Answers the campaign that it is for.
pub async fn take_use(
    connection: &mut AsyncPgConnection,
    hash: &Hash,
    counting: Counting,
) -> QueryResult<Option<Uuid>> {
    let works = code_batch::revoke_time.is_null();
    if counting == Counting::ByReadAndWrite {
        let read: Option<(i64, i64)> = code::table
            .find(&hash[..])
            .select((code::uses, code::uses_max))
            .first(connection)
            .await
            .optional()?;
        let Some((uses, _)) = read.filter(|(uses, most)| uses < most) else {
            return Ok(None);
        };
        diesel::update(code::table.find(&hash[..]))
            .set(code::uses.eq(uses + 1))
            .execute(connection)
            .await?;
    } else {
        let free = code::table
            .filter(code::code_hash.eq(&hash[..]))
            .filter(code::uses.lt(code::uses_max));
        let taken = diesel::update(free)
            .set(code::uses.eq(code::uses + 1))
            .execute(connection)
            .await?;
        if taken == 0 {
            return Ok(None);
        }
    }
    code::table
        .inner_join(code_batch::table)
        .filter(code::code_hash.eq(&hash[..]))
        .filter(works)
        .select(code_batch::campaign_id)
        .first(connection)
        .await
        .optional()
}

/// What a request of an account redeemed: the code, and the coupon for it.
pub async fn redemption(
    connection: &mut AsyncPgConnection,
    account_id: Uuid,
    request_id: Uuid,
) -> QueryResult<Option<(Vec<u8>, Uuid)>> {
    code_redemption::table
        .find((account_id, request_id))
        .select((code_redemption::code_hash, code_redemption::coupon_id))
        .first(connection)
        .await
        .optional()
}

/// The coupon that an account got with a code.
pub async fn redeemed_by(
    connection: &mut AsyncPgConnection,
    account_id: Uuid,
    hash: &Hash,
) -> QueryResult<Option<Uuid>> {
    code_redemption::table
        .filter(code_redemption::code_hash.eq(&hash[..]))
        .filter(code_redemption::account_id.eq(account_id))
        .select(code_redemption::coupon_id)
        .first(connection)
        .await
        .optional()
}

/// Notes what a request redeemed. False: the request, or the account the code, came before.
pub async fn note(
    connection: &mut AsyncPgConnection,
    (account_id, request_id): (Uuid, Uuid),
    hash: &Hash,
    coupon_id: Uuid,
) -> QueryResult<bool> {
    let noted = diesel::insert_into(code_redemption::table)
        .values((
            code_redemption::account_id.eq(account_id),
            code_redemption::request_id.eq(request_id),
            code_redemption::code_hash.eq(&hash[..]),
            code_redemption::coupon_id.eq(coupon_id),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(noted > 0)
}
