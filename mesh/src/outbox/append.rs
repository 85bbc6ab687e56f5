use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Array, Binary, Jsonb, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use prost::{Message, Name};
use uuid::Uuid;

use super::{PARTS, PAYLOAD_MAX};
use crate::events::Events;
use crate::pg::schema::outbox;
use crate::{id, trace};

/// Writes `event`, which is about `aggregate`, to be published after this transaction commits. Answers its message id.
///
/// Fails when the message has no event option or is larger than [`PAYLOAD_MAX`]: both are faults of the program. Wake the relay
/// ([`super::Waker`]) after the commit.
pub async fn append<M: Message + Name>(
    connection: &mut AsyncPgConnection,
    event: &M,
    aggregate: Uuid,
) -> QueryResult<Uuid> {
    let row = Row::of(event, aggregate)?;
    let message_id = row.message_id;
    diesel::insert_into(outbox::table)
        .values(row)
        .execute(connection)
        .await?;
    Ok(message_id)
}

/// The same for many, each with its aggregate, in one statement.
pub async fn append_all<M: Message + Name>(
    connection: &mut AsyncPgConnection,
    events: &[(Uuid, M)],
) -> QueryResult<()> {
    let rows = events
        .iter()
        .map(|(aggregate, event)| Row::of(event, *aggregate));
    let rows: Vec<Row> = rows.collect::<QueryResult<_>>()?;
    let [first, ..] = &rows[..] else {
        return Ok(());
    };
    // Arrays: a list of values would have as many parameters as all rows have columns, and planning it costs more than writing it.
    let insert = diesel::sql_query(
        "INSERT INTO outbox (message_id, part, aggregate, payload, type, exchange, headers) \
         SELECT e.message_id, e.part, e.aggregate, e.payload, $5, $6, $7 \
         FROM unnest($1, $2, $3, $4) AS e(message_id, part, aggregate, payload)",
    );
    insert
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.message_id).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(rows.iter().map(|row| row.part).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.aggregate).collect::<Vec<_>>())
        .bind::<Array<Binary>, _>(rows.iter().map(|row| &row.payload[..]).collect::<Vec<_>>())
        .bind::<Text, _>(&first.type_)
        .bind::<Text, _>(&first.exchange)
        .bind::<Jsonb, _>(&first.headers)
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = outbox)]
struct Row {
    message_id: Uuid,
    part: i16,
    aggregate: Uuid,
    type_: String,
    exchange: String,
    payload: Vec<u8>,
    headers: serde_json::Value,
}

impl Row {
    fn of<M: Message + Name>(event: &M, aggregate: Uuid) -> QueryResult<Self> {
        let kind = M::full_name();
        let events = Events::embedded().map_err(|error| fault(error.to_string()))?;
        let route = events
            .route(&kind)
            .ok_or_else(|| fault(format!("{kind} has no event option")))?;
        let payload = event.encode_to_vec();
        if payload.len() > PAYLOAD_MAX {
            return Err(fault(format!("{kind} is {} bytes", payload.len())));
        }
        let mut headers = BTreeMap::new();
        if let Some(trace) = trace::current() {
            headers.insert(trace::TRACEPARENT, trace.to_string());
        }
        Ok(Self {
            message_id: id::new(),
            part: part_of(aggregate),
            aggregate,
            type_: kind,
            exchange: route.exchange.clone(),
            payload,
            headers: serde_json::json!(headers),
        })
    }
}

fn fault(text: String) -> Error {
    Error::QueryBuilderError(text.into())
}

/// Events of one aggregate share a part, so that they are published one after the other.
fn part_of(aggregate: Uuid) -> i16 {
    let parts = u32::from(PARTS.unsigned_abs());
    i16::try_from(crc32fast::hash(aggregate.as_bytes()) % parts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_gets_its_share_and_an_aggregate_keeps_its_part() {
        let mut counts = [0; 16];
        for _ in 0..1600 {
            let aggregate = id::new();
            assert_eq!(part_of(aggregate), part_of(aggregate));
            counts[usize::try_from(part_of(aggregate)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (40..200).contains(count)),
            "{counts:?}"
        );
    }
}
