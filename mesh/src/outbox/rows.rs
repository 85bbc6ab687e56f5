//! Rows of the outbox as the relay reads and settles them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::amqp::Outgoing;
use crate::events::Route;
use crate::pg::schema::outbox;
use crate::pg::{Database, TxError, clock_timestamp};

/// Rows in one batch: enough to hide the broker's fsync, few enough for one lease and for memory (with [`super::PAYLOAD_MAX`]).
pub(super) const BATCH: i64 = 200;

type Settled = Result<(), TxError<Infallible>>;

/// A message to be published.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) message_id: Uuid,
    pub(super) part: i16,
    aggregate: Uuid,
    pub(super) type_: String,
    payload: Vec<u8>,
    headers: serde_json::Value,
    create_time: DateTime<Utc>,
    pub(super) attempts: i32,
}

impl Row {
    /// The message on the wire. `source` is the service that publishes it.
    pub(super) fn outgoing(&self, route: &Route, source: &str) -> Outgoing {
        let mut headers: BTreeMap<String, String> =
            serde_json::from_value(self.headers.clone()).unwrap_or_default();
        let time = self
            .create_time
            .to_rfc3339_opts(SecondsFormat::Micros, true);
        for (name, value) in [
            ("cloudEvents_specversion", "1.0".to_owned()),
            ("cloudEvents_id", self.message_id.to_string()),
            ("cloudEvents_type", self.type_.clone()),
            ("cloudEvents_source", source.to_owned()),
            ("cloudEvents_subject", self.aggregate.to_string()),
            ("cloudEvents_time", time),
        ] {
            headers.insert(name.to_owned(), value);
        }
        Outgoing {
            message_id: self.message_id,
            exchange: route.exchange.clone(),
            kind: self.type_.clone(),
            payload: self.payload.clone(),
            headers,
            // An event that nobody consumes yet must still leave; one with consumers must reach a queue.
            mandatory: !route.consumers.is_empty(),
        }
    }
}

/// The next rows of `parts` in the order of their ids, without those that rest or are parked.
pub(super) async fn next(
    database: &Database,
    parts: Vec<i16>,
) -> Result<Vec<Row>, TxError<Infallible>> {
    database
        .read(async move |connection| {
            outbox::table
                .filter(outbox::part.eq_any(parts))
                .filter(outbox::parked_time.is_null())
                .filter(
                    outbox::next_attempt_time
                        .is_null()
                        .or(outbox::next_attempt_time.le(clock_timestamp().nullable())),
                )
                .order(outbox::id)
                .limit(BATCH)
                .select(Row::as_select())
                .load(connection)
                .await
        })
        .await
}

/// Deletes rows that the broker confirmed. No lease is asked for: what was confirmed was published, whoever owns the part by now.
pub(super) async fn delete(database: &Database, ids: Vec<i64>) -> Settled {
    database
        .transaction("outbox delete", async move |connection| {
            diesel::delete(outbox::table.filter(outbox::id.eq_any(ids)))
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
}

/// A row that the broker did not take.
#[derive(Clone, Debug)]
pub(super) struct Resting {
    pub(super) id: i64,
    /// Generation of the lease it was published under; without it nothing is changed, for the row is another relay's.
    pub(super) generation: i64,
    pub(super) wait: Duration,
    pub(super) error: &'static str,
}

/// Lets rows rest after the broker returned or refused them.
pub(super) async fn rest(database: &Database, rows: Vec<Resting>) -> Settled {
    let milliseconds = |wait: Duration| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let generations: Vec<i64> = rows.iter().map(|row| row.generation).collect();
    let waits: Vec<i64> = rows.iter().map(|row| milliseconds(row.wait)).collect();
    let errors: Vec<&str> = rows.iter().map(|row| row.error).collect();
    database
        .transaction("outbox rest", async move |connection| {
            diesel::sql_query(
                "UPDATE outbox SET attempts = attempts + 1, last_error = r.error,
                 next_attempt_time = clock_timestamp() + r.wait * interval '1 millisecond'
                 FROM unnest($1, $2, $3, $4) AS r(id, generation, wait, error)
                 WHERE outbox.id = r.id AND EXISTS (
                     SELECT FROM outbox_part p WHERE p.part = outbox.part AND p.lease_gen = r.generation)",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<BigInt>, _>(generations)
            .bind::<Array<BigInt>, _>(waits)
            .bind::<Array<Text>, _>(errors)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
}

/// Parks rows that cannot be published.
pub(super) async fn park(database: &Database, ids: Vec<i64>, error: &'static str) -> Settled {
    database
        .transaction("outbox park", async move |connection| {
            diesel::sql_query(
                "UPDATE outbox SET parked_time = clock_timestamp(), last_error = $2 WHERE id = ANY($1) AND parked_time IS NULL",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Text, _>(error)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
}

/// Takes parked rows of these types up again: a newer program knows types that an older one had to park.
pub(super) async fn unpark(database: &Database, types: Vec<String>) -> Settled {
    database
        .transaction("outbox unpark", async move |connection| {
            diesel::sql_query("UPDATE outbox SET parked_time = NULL WHERE parked_time IS NOT NULL AND type = ANY($1)")
                .bind::<Array<Text>, _>(types)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
}

/// What the gauges show.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub(super) struct Backlog {
    #[diesel(sql_type = BigInt)]
    pub(super) waiting: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) parked: i64,
    #[diesel(sql_type = diesel::sql_types::Double)]
    pub(super) oldest_seconds: f64,
}

/// How much waits. The oldest row is that of the smallest id.
pub(super) async fn backlog(database: &Database) -> Result<Backlog, TxError<Infallible>> {
    database
        .read(async |connection| {
            diesel::sql_query(
                "SELECT (SELECT count(*) FROM outbox WHERE parked_time IS NULL) AS waiting,
                 (SELECT count(*) FROM outbox WHERE parked_time IS NOT NULL) AS parked,
                 coalesce((SELECT extract(epoch FROM clock_timestamp() - create_time) FROM outbox
                 WHERE parked_time IS NULL ORDER BY id LIMIT 1), 0)::float8 AS oldest_seconds",
            )
            .get_result(connection)
            .await
        })
        .await
}
