//! What a service does with a message.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

use super::message::Message;
use crate::id;
use crate::inbox;
use crate::pg::{Connection, Database, DomainError, TxError};
use crate::trace::{self, Kind, Span};

/// Why a message can never be handled. It becomes a dead letter, which an operator finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison(String);

impl Poison {
    /// Says why, in words for an operator; no secrets, they are logged.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The UUID that `field` of a message holds.
    pub fn uuid(text: &str, field: &str) -> Result<Uuid, Self> {
        id::parse(text).ok_or_else(|| Self(format!("{field} is not a UUID")))
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl DomainError for Poison {}

/// Handles the messages of one queue.
pub trait Handler: Send + Sync + 'static {
    /// Has the effect of `message` on `connection`, whose transaction is open and already holds the inbox row: it runs again after every
    /// failure and commits once. Nothing but the connection is awaited here; what has to leave goes to the outbox.
    ///
    /// [`Poison`] parks the message; every other error is taken for passing and tried again on a ladder.
    fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> impl Future<Output = Result<(), TxError<Poison>>> + Send;

    /// Called after the commit and before the acknowledgement, at most once and not after a crash: for wake-ups alone.
    fn committed(&self, message: &Message) -> impl Future<Output = ()> + Send {
        let _ = message;
        async {}
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It had its effect now.
    Done,
    /// It had its effect before.
    Duplicate,
}

/// Has the effect of `message` once, inbox row included.
pub(super) async fn apply<H: Handler>(
    database: &Database,
    queue: &'static str,
    handler: &Arc<H>,
    message: &Arc<Message>,
) -> Result<Applied, TxError<Poison>> {
    let (handler, message) = (Arc::clone(handler), Arc::clone(message));
    let name = format!("{queue} {}", message.kind);
    let mut span = Span::start(Kind::Consumer, name, message.trace());
    span.set("messaging.message.id", message.message_id.to_string());
    let effect = database.transaction(queue, async move |connection| {
        if !inbox::receive(connection, queue, message.message_id).await? {
            return Ok(Applied::Duplicate);
        }
        handler.handle(connection, &message).await?;
        Ok(Applied::Done)
    });
    let outcome = trace::within(Some(span.context()), effect).await;
    if let Err(error) = &outcome {
        span.fail(error.to_string());
    }
    outcome
}
