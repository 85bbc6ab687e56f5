//! Which parts of the outbox this relay may publish, and until when.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, SmallInt, Text};
use diesel_async::RunQueryDsl;
use tokio::time::Instant;

use crate::pg::{Database, TxError};

/// Parts claimed at once: relays that start together share them, one that is alone has all after four rounds.
const CLAIM: i64 = 4;

/// The leases of one relay.
#[derive(Debug)]
pub(super) struct Leases {
    owner: String,
    length: Duration,
    held: BTreeMap<i16, i64>,
    /// End by our own clock, counted from before the statement that set it: never later than the end in the database.
    until: Instant,
    renew_at: Instant,
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = SmallInt)]
    part: i16,
    #[diesel(sql_type = BigInt)]
    lease_gen: i64,
}

impl Leases {
    pub(super) fn new(owner: &str, length: Duration) -> Self {
        let now = Instant::now();
        Self {
            owner: owner.to_owned(),
            length,
            held: BTreeMap::new(),
            until: now,
            renew_at: now,
        }
    }

    /// The parts held and the moment until which they are; none when that has passed.
    pub(super) fn held(&self) -> Option<(Vec<i16>, Instant)> {
        let valid = !self.held.is_empty() && Instant::now() < self.until;
        valid.then(|| (self.held.keys().copied().collect(), self.until))
    }

    /// Generation of a held part.
    pub(super) fn generation(&self, part: i16) -> Option<i64> {
        self.held.get(&part).copied()
    }

    /// Renews what is held and claims a few parts that are free, when a third of the lease has passed. After a claim it is due again at once.
    pub(super) async fn keep(&mut self, database: &Database) -> Result<(), TxError<Infallible>> {
        let now = Instant::now();
        if now < self.renew_at {
            return Ok(());
        }
        let (owner, length) = (self.owner.clone(), milliseconds(self.length));
        let (renewed, claimed) = database
            .transaction("outbox lease", async move |connection| {
                // A lease that ran out may be somebody else's by now and is claimed anew, with a generation of its own.
                let renewed: Vec<Held> = diesel::sql_query(
                    "UPDATE outbox_part SET lease_until = clock_timestamp() + $2 * interval '1 millisecond'
                     WHERE lease_owner = $1 AND lease_until > clock_timestamp() RETURNING part, lease_gen",
                )
                .bind::<Text, _>(&owner)
                .bind::<BigInt, _>(length)
                .load(connection)
                .await?;
                let claimed: Vec<Held> = diesel::sql_query(
                    "UPDATE outbox_part SET lease_owner = $1, lease_gen = lease_gen + 1,
                     lease_until = clock_timestamp() + $2 * interval '1 millisecond'
                     WHERE part IN (SELECT part FROM outbox_part WHERE lease_until IS NULL OR lease_until <= clock_timestamp()
                     ORDER BY random() LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING part, lease_gen",
                )
                .bind::<Text, _>(&owner)
                .bind::<BigInt, _>(length)
                .bind::<BigInt, _>(CLAIM)
                .load(connection)
                .await?;
                Ok((renewed, claimed))
            })
            .await?;
        let more = !claimed.is_empty();
        self.held = renewed
            .into_iter()
            .chain(claimed)
            .map(|held| (held.part, held.lease_gen))
            .collect();
        self.until = now + self.length;
        self.renew_at = if more { now } else { now + self.length / 3 };
        Ok(())
    }

    /// Gives every part back, so that another relay need not wait for the end of the lease.
    pub(super) async fn release(&mut self, database: &Database) -> Result<(), TxError<Infallible>> {
        self.held.clear();
        let owner = self.owner.clone();
        database
            .transaction("outbox release", async move |connection| {
                diesel::sql_query(
                    "UPDATE outbox_part SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = $1",
                )
                .bind::<Text, _>(&owner)
                .execute(connection)
                .await?;
                Ok(())
            })
            .await
    }
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
