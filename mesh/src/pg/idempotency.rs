//! Requests that may be repeated: the second call with a request_id has no second effect.
//!
//! [`begin`] comes first in the transaction, [`First::record`] last. A refusal rolls both back, so it is decided anew the next time. Methods
//! whose request_id is the primary key of their row keep the hash there and do not need this table.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::schema::idempotency;
use crate::id;

/// `request_id` is field 1 of every request that changes something.
const REQUEST_ID_FIELD: u32 = 1;

diesel::define_sql_function! {
    /// Takes the lock and answers true, or answers false at once; the end of the transaction releases it.
    fn pg_try_advisory_xact_lock(key: BigInt) -> Bool;
}

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Who calls.
    pub account_id: Uuid,
    /// package.Service/Method.
    pub method: &'static str,
    /// Id chosen by the caller.
    pub request_id: Uuid,
}

impl Key {
    /// The id that follows from it, for a resource that the request makes: also when the request is not remembered any more.
    #[must_use]
    pub fn derived(&self) -> Uuid {
        let name = [self.request_id.as_bytes(), self.method.as_bytes()].concat();
        id::derive(self.account_id, name)
    }
}

/// SHA-256 of a request without its request_id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHash(pub [u8; 32]);

impl RequestHash {
    /// Hashes `request`: its encoding in field order, field 1 left out.
    #[must_use]
    pub fn of<M: Message>(request: &M) -> Self {
        let encoded = request.encode_to_vec();
        let mut hash = Sha256::new();
        let mut rest: &[u8] = &encoded;
        while !rest.is_empty() {
            let start = rest;
            let Some(field) = skip(&mut rest) else {
                // prost does not write what it cannot read; if it ever did, all of it would count.
                hash.update(start);
                break;
            };
            if field != REQUEST_ID_FIELD {
                let length = start.len() - rest.len();
                hash.update(start.get(..length).unwrap_or(start));
            }
        }
        Self(hash.finalize().into())
    }
}

fn skip(rest: &mut &[u8]) -> Option<u32> {
    let (field, wire): (u32, WireType) = decode_key(rest).ok()?;
    skip_field(wire, field, rest, DecodeContext::default()).ok()?;
    Some(field)
}

/// What a request is.
#[derive(Debug)]
pub enum Begun {
    /// The first of its id: do the work, then [`First::record`] it.
    First(First),
    /// Done before: answer with this resource as it is now.
    Replay {
        /// The resource of the first call.
        resource_id: Uuid,
    },
    /// The id came before with another body: refuse with REQUEST_ID_REUSED.
    Reused,
    /// The first call still runs: refuse with REQUEST_IN_PROGRESS and RetryInfo.
    InProgress,
}

/// A request that has to be recorded in the transaction that does its work.
#[derive(Debug)]
#[must_use = "a request that is not recorded has its effect again when it is repeated"]
pub struct First {
    key: Key,
    hash: RequestHash,
}

impl First {
    /// Records that the request had its effect on `resource_id`.
    pub async fn record(
        self,
        connection: &mut AsyncPgConnection,
        resource_id: Uuid,
    ) -> QueryResult<()> {
        diesel::insert_into(idempotency::table)
            .values((
                idempotency::account_id.eq(self.key.account_id),
                idempotency::method.eq(self.key.method),
                idempotency::request_id.eq(self.key.request_id),
                idempotency::request_hash.eq(&self.hash.0[..]),
                idempotency::resource_id.eq(resource_id),
            ))
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Tells what a request is and keeps others with the same key out until the transaction ends.
///
/// Two statements on purpose: the row is read with a snapshot taken after the lock, so a first call that ended just before is seen.
pub async fn begin(
    connection: &mut AsyncPgConnection,
    key: Key,
    hash: RequestHash,
) -> QueryResult<Begun> {
    let alone: bool = diesel::select(pg_try_advisory_xact_lock(lock_key(&key)))
        .get_result(connection)
        .await?;
    if !alone {
        return Ok(Begun::InProgress);
    }
    let row: Option<(Vec<u8>, Uuid)> = idempotency::table
        .find((key.account_id, key.method, key.request_id))
        .select((idempotency::request_hash, idempotency::resource_id))
        .first(connection)
        .await
        .optional()?;
    Ok(match row {
        None => Begun::First(First { key, hash }),
        Some((first, resource_id)) if first == hash.0 => Begun::Replay { resource_id },
        Some(_) => Begun::Reused,
    })
}

/// Two keys with one lock only make the later caller come back, so 64 bits are plenty.
fn lock_key(key: &Key) -> i64 {
    let mut hash = Sha256::new();
    hash.update(key.account_id.as_bytes());
    hash.update(key.request_id.as_bytes());
    hash.update(key.method.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
