//! The inbox: a message delivered twice has one effect.
//!
//! The row is written in the transaction of the effect, so either both exist or neither. [`crate::amqp::consume`] does it for every
//! message; a handler needs nothing of its own.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::pg::schema::inbox;

/// Notes that `consumer` handles `message_id` in this transaction. False: it was handled before and must have no second effect.
///
/// Two deliveries at once meet at the primary key: the second waits for the first to end.
pub async fn receive(
    connection: &mut AsyncPgConnection,
    consumer: &str,
    message_id: Uuid,
) -> QueryResult<bool> {
    let inserted = diesel::insert_into(inbox::table)
        .values((
            inbox::consumer.eq(consumer),
            inbox::message_id.eq(message_id),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(inserted == 1)
}
