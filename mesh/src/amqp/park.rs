//! Dead letters: messages that nobody can handle, kept in the database for an operator, who sees them with all that is known and has them
//! handled again or discards them, in one transaction with the audit entry.
//!
//! The broker has a park queue for each queue all the same: it takes what was delivered too often, as by a handler that kills its process,
//! and what the database did not take. [`super::consumer`] takes it from there, too.

use std::convert::Infallible;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::message::Message;
use super::retry::cut;
use crate::page::{Page, PageRequest};
use crate::pg::schema::{dead_letter, inbox};
use crate::pg::{Connection, Database, TxError};

/// The broker's word for why it gave up, among the headers that it adds.
const BROKERS_REASON: &str = "x-first-death-reason";

/// Why the broker laid a message aside.
pub(super) fn brokers_reason(message: &Message) -> String {
    let reason = message.headers.get(BROKERS_REASON).map(String::as_str);
    format!("the broker laid it aside: {}", reason.unwrap_or("unknown"))
}

/// Writes a dead letter, unless it had its effect meanwhile, by another instance or another release. Writing it twice keeps the first.
/// Answers whether it was written.
pub(super) async fn insert(
    connection: &mut Connection,
    queue: &'static str,
    message: &Message,
    reason: &str,
) -> QueryResult<bool> {
    if message.named {
        let handled = inbox::table.find((queue, message.message_id));
        let handled = diesel::select(exists(handled));
        if handled.get_result(connection).await? {
            return Ok(false);
        }
    }
    let written = diesel::insert_into(dead_letter::table)
        .values((
            dead_letter::consumer.eq(queue),
            dead_letter::message_id.eq(message.message_id),
            dead_letter::type_.eq(&message.kind),
            dead_letter::payload.eq(&message.payload),
            dead_letter::headers.eq(serde_json::json!(message.headers)),
            dead_letter::attempts.eq(i32::try_from(message.failed_attempts).unwrap_or(i32::MAX)),
            dead_letter::reason.eq(cut(reason)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(written == 1)
}

/// The same in a transaction of its own.
pub(super) async fn put(
    database: &Database,
    queue: &'static str,
    message: &Arc<Message>,
    reason: &str,
) -> Result<bool, TxError<Infallible>> {
    let (message, reason) = (Arc::clone(message), reason.to_owned());
    let work = async move |connection: &mut Connection| {
        Ok(insert(connection, queue, &message, &reason).await?)
    };
    database.transaction("dead letter", work).await
}

/// Bytes of a body that a list shows: enough to recognise it, and a full page stays below the largest answer of gRPC clients.
const PAYLOAD_SHOWN: i32 = 4 * 1024;

/// A message that was laid aside, as a list shows it.
#[derive(Queryable)]
pub(crate) struct DeadLetter {
    pub(crate) consumer: String,
    pub(crate) message_id: Uuid,
    pub(crate) type_: String,
    /// Its beginning.
    pub(crate) payload: Vec<u8>,
    /// Bytes of the whole.
    pub(crate) payload_bytes: i32,
    pub(crate) headers: serde_json::Value,
    pub(crate) attempts: i32,
    pub(crate) reason: String,
    pub(crate) park_time: DateTime<Utc>,
}

/// Place in the list.
type Place = (DateTime<Utc>, Uuid);

/// Dead letters, newest first; of one queue, or of every one when it is empty.
pub(crate) async fn list(
    connection: &mut Connection,
    queue: String,
    page: PageRequest<Place>,
) -> QueryResult<Page<DeadLetter, Place>> {
    let mut query = dead_letter::table
        .select((
            dead_letter::consumer,
            dead_letter::message_id,
            dead_letter::type_,
            sql::<Binary>("substr(payload, 1, ")
                .bind::<Integer, _>(PAYLOAD_SHOWN)
                .sql(")"),
            sql::<Integer>("octet_length(payload)"),
            dead_letter::headers,
            dead_letter::attempts,
            dead_letter::reason,
            dead_letter::park_time,
        ))
        .order((
            dead_letter::park_time.desc(),
            dead_letter::message_id.desc(),
        ))
        .limit(page.fetch())
        .into_boxed();
    if !queue.is_empty() {
        query = query.filter(dead_letter::consumer.eq(queue));
    }
    if let Some((time, id)) = page.after {
        let behind = sql::<Bool>("(park_time, message_id) < (")
            .bind::<Timestamptz, _>(time)
            .sql(", ")
            .bind::<SqlUuid, _>(id)
            .sql(")");
        query = query.filter(behind);
    }
    let rows = query.load(connection).await?;
    Ok(page.cut(rows, |row| (row.park_time, row.message_id)))
}

/// Makes a dead letter a message that is due now, with a fresh ladder.
pub(crate) async fn handle_again(
    connection: &mut Connection,
    queue: &str,
    message_id: Uuid,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO retry_message (consumer, message_id, type, payload, headers, attempts, next_attempt_time, last_error)
         SELECT consumer, message_id, type, payload, headers, 1, clock_timestamp(), reason FROM dead_letter
         WHERE consumer = $1 AND message_id = $2
         ON CONFLICT (consumer, message_id) DO NOTHING",
    )
    .bind::<Text, _>(queue)
    .bind::<SqlUuid, _>(message_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes a dead letter. False: there is none.
pub(crate) async fn delete(
    connection: &mut Connection,
    queue: &str,
    message_id: Uuid,
) -> QueryResult<bool> {
    let gone = diesel::delete(dead_letter::table.find((queue, message_id)));
    Ok(gone.execute(connection).await? == 1)
}
