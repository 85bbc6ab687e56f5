//! Messages whose handling failed for now: kept in the database, tried again on a ladder, by any instance.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use uuid::Uuid;

use super::consumer::Consumer;
use super::handle::{Applied, Handler, Poison};
use super::message::Message;
use super::park;
use crate::pg::schema::{dead_letter, retry_message};
use crate::pg::{Connection, Database, TxError};
use crate::status::chain;
use crate::timings::Timings;

/// Due messages in one round: few enough that other work of the pool gets its turn in between.
const BATCH: i64 = 20;
/// Failed attempts after which a message is parked: about a day at the ladder's cap of five minutes.
const ATTEMPTS_MAX: u32 = 300;
/// Failed attempts after which every further one is an alarm.
const ATTEMPTS_ALARM: u32 = 10;
/// Error text that is kept; the log has all of it.
const ERROR_MAX: usize = 500;

/// Stores a message whose first attempt failed. Storing it twice keeps the first row.
pub(super) async fn put(
    database: &Database,
    queue: &'static str,
    message: &Arc<Message>,
    error: &str,
    timings: &Timings,
) -> Result<(), TxError<Infallible>> {
    let message = Arc::clone(message);
    let error = cut(error);
    let wait = milliseconds(timings.message_retry.wait(0));
    database
        .transaction("message retry put", async move |connection| {
            diesel::sql_query(
                "INSERT INTO retry_message (consumer, message_id, type, payload, headers, attempts, next_attempt_time, last_error)
                 VALUES ($1, $2, $3, $4, $5, 1, clock_timestamp() + $6 * interval '1 millisecond', $7)
                 ON CONFLICT (consumer, message_id) DO NOTHING",
            )
            .bind::<Text, _>(queue)
            .bind::<SqlUuid, _>(message.message_id)
            .bind::<Text, _>(&message.kind)
            .bind::<diesel::sql_types::Binary, _>(&message.payload)
            .bind::<Jsonb, _>(serde_json::json!(message.headers))
            .bind::<BigInt, _>(wait)
            .bind::<Text, _>(&error)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
}

/// An error's text as it is kept; NUL is no text to Postgres.
pub(super) fn cut(error: &str) -> String {
    error
        .replace('\0', "\u{fffd}")
        .chars()
        .take(ERROR_MAX)
        .collect()
}

fn milliseconds(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = retry_message)]
struct Row {
    message_id: Uuid,
    type_: String,
    payload: Vec<u8>,
    headers: serde_json::Value,
    attempts: i32,
}

impl Row {
    fn into_message(self) -> Message {
        Message {
            message_id: self.message_id,
            kind: self.type_,
            payload: self.payload,
            headers: texts(&self.headers),
            failed_attempts: u32::try_from(self.attempts).unwrap_or_default(),
            named: true,
        }
    }
}

fn texts(headers: &serde_json::Value) -> BTreeMap<String, String> {
    serde_json::from_value(headers.clone()).unwrap_or_default()
}

/// Tries due messages of one queue again.
pub(super) struct RetryWorker<H> {
    consumer: Arc<Consumer<H>>,
}

impl<H: Handler> RetryWorker<H> {
    pub(super) fn new(consumer: Arc<Consumer<H>>) -> Self {
        Self { consumer }
    }

    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut measured: Option<Instant> = None;
        while !stop.is_cancelled() {
            if measured.is_none_or(|at| at.elapsed() >= self.consumer.options.timings.gauges) {
                measured = Some(Instant::now());
                if let Err(failed) = self.measure().await {
                    let (queue, text) = (self.consumer.queue, chain(&failed));
                    warn!(
                        queue,
                        error = text,
                        "waiting messages are not counted: {text}"
                    );
                }
            }
            if let Err(failed) = self.round(&stop).await {
                let text = chain(&failed);
                warn!(
                    queue = self.consumer.queue,
                    error = text,
                    "due messages cannot be read: {text}"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(self.consumer.options.timings.message_retry_poll) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn round(&self, stop: &CancellationToken) -> Result<(), TxError<Infallible>> {
        let queue = self.consumer.queue;
        let due: Vec<Row> = self
            .consumer
            .database
            .read(async move |connection| {
                retry_message::table
                    .filter(retry_message::consumer.eq(queue))
                    .filter(retry_message::next_attempt_time.le(crate::pg::clock_timestamp()))
                    .order(retry_message::next_attempt_time)
                    .limit(BATCH)
                    .select(Row::as_select())
                    .load(connection)
                    .await
            })
            .await?;
        for row in due {
            if stop.is_cancelled() {
                break;
            }
            self.attempt(Arc::new(row.into_message())).await?;
        }
        Ok(())
    }

    /// Shows how many messages wait for another attempt, and how many for an operator.
    async fn measure(&self) -> Result<(), TxError<Infallible>> {
        let queue = self.consumer.queue;
        let read = async move |connection: &mut Connection| {
            let retries = retry_message::table.filter(retry_message::consumer.eq(queue));
            let retries: i64 = retries.count().get_result(connection).await?;
            let dead = dead_letter::table.filter(dead_letter::consumer.eq(queue));
            let dead: i64 = dead.count().get_result(connection).await?;
            Ok::<_, diesel::result::Error>((retries, dead))
        };
        let (retries, dead) = self.consumer.database.read(read).await?;
        let count = |rows: i64| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        metrics::gauge!("usher_retry_messages", "queue" => queue).set(count(retries));
        metrics::gauge!("usher_dead_letters", "queue" => queue).set(count(dead));
        Ok(())
    }

    /// One more attempt, counted before it begins: a message that kills its process climbs the ladder, too. Whoever counts has the attempt;
    /// two instances that tried all the same would meet at the inbox row.
    async fn attempt(&self, message: Arc<Message>) -> Result<(), TxError<Infallible>> {
        if message.failed_attempts > ATTEMPTS_MAX {
            let poison = Poison::new(format!("{ATTEMPTS_MAX} attempts failed or had no end"));
            return self.park(&message, &poison).await;
        }
        if !self.begin(&message).await? {
            return Ok(());
        }
        match self.consumer.apply(&message).await {
            Ok(applied) => {
                if applied == Applied::Done {
                    self.consumer.handler.committed(&message).await;
                    self.consumer.count("done");
                }
                // Not in the transaction of the effect: a row that is left over only finds its inbox row the next time.
                self.forget(&message).await
            }
            Err(TxError::Refused(poison)) => self.park(&message, &poison).await,
            Err(_) if message.failed_attempts >= ATTEMPTS_MAX => {
                let poison = Poison::new(format!("it failed {ATTEMPTS_MAX} times"));
                self.park(&message, &poison).await
            }
            Err(failed) => self.note(&message, &chain(&failed)).await,
        }
    }

    /// Counts the attempt and says when the next one is due. False: somebody else has it.
    async fn begin(&self, message: &Message) -> Result<bool, TxError<Infallible>> {
        let (queue, id) = (self.consumer.queue, message.message_id);
        let before = i32::try_from(message.failed_attempts).unwrap_or(i32::MAX);
        let ladder = &self.consumer.options.timings.message_retry;
        let wait = milliseconds(ladder.wait(message.failed_attempts));
        let attempt = message.failed_attempts.saturating_add(1);
        // Stands there when the attempt has no end, because its process died.
        let begun = format!("attempt {attempt} has begun");
        if attempt > ATTEMPTS_ALARM {
            warn!(queue, message_id = %id, attempt, "message {id} begins attempt {attempt}");
        }
        self.consumer
            .database
            .transaction("message retry begin", async move |connection| {
                let counted = diesel::sql_query(
                    "UPDATE retry_message SET attempts = attempts + 1, last_error = $5,
                     next_attempt_time = clock_timestamp() + $4 * interval '1 millisecond'
                     WHERE consumer = $1 AND message_id = $2 AND attempts = $3",
                )
                .bind::<Text, _>(queue)
                .bind::<SqlUuid, _>(id)
                .bind::<Integer, _>(before)
                .bind::<BigInt, _>(wait)
                .bind::<Text, _>(&begun)
                .execute(connection)
                .await?;
                Ok(counted == 1)
            })
            .await
    }

    async fn forget(&self, message: &Message) -> Result<(), TxError<Infallible>> {
        let (queue, message_id) = (self.consumer.queue, message.message_id);
        self.consumer
            .database
            .transaction("message retry forget", async move |connection| {
                diesel::delete(retry_message::table.find((queue, message_id)))
                    .execute(connection)
                    .await?;
                Ok(())
            })
            .await
    }

    /// Keeps why an attempt failed.
    async fn note(&self, message: &Message, cause: &str) -> Result<(), TxError<Infallible>> {
        let (queue, id) = (self.consumer.queue, message.message_id);
        let attempts = message.failed_attempts.saturating_add(1);
        self.consumer.count("retried");
        if attempts >= ATTEMPTS_ALARM {
            error!(queue, message_id = %id, attempts, cause, "message {id} failed {attempts} times: {cause}");
        }
        let error = cut(cause);
        self.consumer
            .database
            .transaction("message retry note", async move |connection| {
                diesel::sql_query(
                    "UPDATE retry_message SET last_error = $3 WHERE consumer = $1 AND message_id = $2",
                )
                .bind::<Text, _>(queue)
                .bind::<SqlUuid, _>(id)
                .bind::<Text, _>(&error)
                .execute(connection)
                .await?;
                Ok(())
            })
            .await
    }

    /// Makes it a dead letter.
    async fn park(&self, message: &Message, poison: &Poison) -> Result<(), TxError<Infallible>> {
        let (queue, id) = (self.consumer.queue, message.message_id);
        let (message, reason) = (message.clone(), poison.to_string());
        let kept = self
            .consumer
            .database
            .transaction("message park", async move |connection| {
                let kept = park::insert(connection, queue, &message, &reason).await?;
                diesel::delete(retry_message::table.find((queue, id)))
                    .execute(connection)
                    .await?;
                Ok(kept)
            })
            .await?;
        if kept {
            self.consumer.count("parked");
            error!(queue, message_id = %id, reason = %poison, "message {id} becomes a dead letter: {poison}");
        }
        Ok(())
    }
}
