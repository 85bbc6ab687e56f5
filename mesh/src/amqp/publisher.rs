//! Publishing with confirms: one task owns the channel, so that a confirm belongs to the message it seems to belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::broker::Broker;
use super::link::{AmqpError, Link, Session, answer, short, supervise};
use super::message::properties;
use super::topology::declare;
use crate::events::Events;
use crate::health::Need;
use crate::id;

/// Batches that wait for the channel: one for each user of the publisher (relay, retry worker) and a little room.
const WAITING_MAX: usize = 8;

const CHECK: &str = "amqp publish";

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// By which consumers know it.
    pub message_id: Uuid,
    /// Where it goes, by its type as routing key; without prefix.
    pub exchange: String,
    /// Full protobuf name.
    pub kind: String,
    /// Encoded protobuf message.
    pub payload: Vec<u8>,
    /// Text headers.
    pub headers: BTreeMap<String, String>,
    /// Whether it is returned when no queue takes it.
    pub mandatory: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it.
    Confirmed,
    /// No queue took it.
    Returned,
    /// The broker refused it.
    Refused,
    /// Nobody knows; to be published again.
    Unknown,
}

/// Nothing of the batch was published, or nobody knows what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the broker cannot be reached")]
pub struct Unpublished;

/// Publishes batches, one after the other. Clones share the channel.
#[derive(Clone, Debug)]
pub struct Publisher {
    batches: mpsc::Sender<Batch>,
}

#[derive(Debug)]
struct Batch {
    messages: Vec<Outgoing>,
    deadline: Instant,
    answer: oneshot::Sender<Vec<Outcome>>,
}

impl Publisher {
    /// Starts the task that owns the channel. It declares the topology of `events` whenever it connects.
    #[must_use]
    pub fn start(broker: &Broker, events: &'static Events) -> Self {
        let (batches, waiting) = mpsc::channel(WAITING_MAX);
        let serving = Arc::new(Serving {
            broker: broker.clone(),
            events,
            waiting: Mutex::new(waiting),
        });
        broker.tasks.keep_running(CHECK, move |stop| {
            let serving = Arc::clone(&serving);
            async move { supervise(&serving.broker, CHECK, &stop, &*serving).await }
        });
        Self { batches }
    }

    /// Publishes a batch and waits for its confirms until `deadline`, past which nothing of it is sent. Answers the outcomes in its order.
    pub async fn publish(
        &self,
        messages: Vec<Outgoing>,
        deadline: Instant,
    ) -> Result<Vec<Outcome>, Unpublished> {
        let (answer, outcomes) = oneshot::channel();
        let batch = Batch {
            messages,
            deadline,
            answer,
        };
        let waited = timeout_at(deadline, async {
            self.batches.send(batch).await.map_err(|_| Unpublished)?;
            outcomes.await.map_err(|_| Unpublished)
        });
        waited.await.unwrap_or(Err(Unpublished))
    }
}

/// The task that owns the channel.
struct Serving {
    broker: Broker,
    events: &'static Events,
    waiting: Mutex<mpsc::Receiver<Batch>>,
}

impl Session for Serving {
    /// Publishes until the link fails or `stop`. A batch with an unknown outcome is a failed link.
    async fn run(&self, link: Link, stop: &CancellationToken) -> Result<(), AmqpError> {
        let broker = &self.broker;
        answer(
            "confirm.select",
            link.channel.confirm_select(ConfirmSelectOptions::default()),
        )
        .await?;
        declare(&link.channel, broker, self.events).await?;
        broker.health.up(CHECK, Need::Degrading);
        info!("{CHECK} is connected");
        let mut waiting = self.waiting.lock().await;
        loop {
            let batch = tokio::select! {
                () = link.broken.cancelled() => return Ok(()),
                () = stop.cancelled() => break,
                batch = waiting.recv() => batch,
            };
            let Some(batch) = batch else { break };
            if batch.answer.is_closed() || batch.deadline <= Instant::now() {
                continue;
            }
            let outcomes = publish(broker, &link.channel, &batch).await;
            let whole = !outcomes.contains(&Outcome::Unknown);
            // A caller that went away publishes the batch again.
            drop(batch.answer.send(outcomes));
            if !whole {
                return Ok(());
            }
        }
        link.close().await;
        Ok(())
    }
}

/// Sends every message, then waits for every confirm.
async fn publish(broker: &Broker, channel: &Channel, batch: &Batch) -> Vec<Outcome> {
    let mut confirms = Vec::with_capacity(batch.messages.len());
    for message in &batch.messages {
        match timeout_at(batch.deadline, send(broker, channel, message)).await {
            Ok(Ok(confirm)) => confirms.push(confirm),
            Ok(Err(error)) => {
                warn!(error = %error, "a batch broke off: {error}");
                break;
            }
            Err(_) => break,
        }
    }
    let mut tally = Tally::default();
    for (message, confirm) in batch.messages.iter().zip(confirms) {
        let outcome = timeout_at(batch.deadline, confirm).await;
        tally.count(message.message_id, outcome.ok().and_then(Result::ok));
    }
    let ids: Vec<Uuid> = batch
        .messages
        .iter()
        .map(|message| message.message_id)
        .collect();
    tally.outcomes(&ids)
}

async fn send(
    broker: &Broker,
    channel: &Channel,
    message: &Outgoing,
) -> Result<PublisherConfirm, AmqpError> {
    let options = BasicPublishOptions {
        mandatory: message.mandatory,
        ..Default::default()
    };
    channel
        .basic_publish(
            short(broker.name(&message.exchange))?,
            short(&message.kind)?,
            options,
            &message.payload,
            properties(message.message_id, &message.kind, &message.headers)?,
        )
        .await
        .map_err(|source| AmqpError::Refused {
            what: "basic.publish",
            source,
        })
}

/// Which message had which fate. lapin hands returned messages to whatever confirm comes next, so they count by their own id, and only a
/// batch whose confirms all came tells of each message that it was not returned.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: BTreeSet<Uuid>,
    refused: BTreeSet<Uuid>,
    returned: BTreeSet<Uuid>,
    nameless_return: bool,
    missing: bool,
}

impl Tally {
    fn count(&mut self, message_id: Uuid, confirmation: Option<Confirmation>) {
        let returned = match confirmation {
            Some(Confirmation::Ack(returned)) => {
                self.acknowledged.insert(message_id);
                returned
            }
            Some(Confirmation::Nack(returned)) => {
                self.refused.insert(message_id);
                returned
            }
            Some(Confirmation::NotRequested) | None => {
                self.missing = true;
                None
            }
        };
        if let Some(message) = returned {
            match returned_id(&message) {
                Some(returned) => drop(self.returned.insert(returned)),
                None => self.nameless_return = true,
            }
        }
    }

    fn outcomes(&self, messages: &[Uuid]) -> Vec<Outcome> {
        let counted = self.acknowledged.len() + self.refused.len();
        let missing = self.missing || counted < messages.len();
        let blurred = self.nameless_return || (missing && !self.returned.is_empty());
        let outcome = |message: &Uuid| {
            if blurred {
                Outcome::Unknown
            } else if self.returned.contains(message) {
                Outcome::Returned
            } else if self.acknowledged.contains(message) {
                Outcome::Confirmed
            } else if self.refused.contains(message) {
                Outcome::Refused
            } else {
                Outcome::Unknown
            }
        };
        messages.iter().map(outcome).collect()
    }
}

fn returned_id(message: &BasicReturnMessage) -> Option<Uuid> {
    let text = message.delivery.properties.message_id().as_ref()?;
    id::parse(text.as_str())
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;
    use lapin::message::Delivery;

    use super::*;

    fn returned(id: &str) -> BasicReturnMessage {
        let mut delivery = Delivery::mock(0, "".into(), "".into(), false, Vec::new());
        delivery.properties = BasicProperties::default().with_message_id(id.into());
        BasicReturnMessage {
            delivery,
            reply_code: 312,
            reply_text: "NO_ROUTE".into(),
        }
    }

    fn ack(of: Option<Uuid>) -> Option<Confirmation> {
        Some(Confirmation::Ack(of.map(|id| returned(&id.to_string()))))
    }

    /// Outcomes of three messages with these confirmations.
    fn check(
        confirmations: impl FnOnce([Uuid; 3]) -> [Option<Confirmation>; 3],
        expected: [Outcome; 3],
    ) {
        let ids = [id::new(), id::new(), id::new()];
        let mut tally = Tally::default();
        for (id, confirmation) in ids.into_iter().zip(confirmations(ids)) {
            tally.count(id, confirmation);
        }
        assert_eq!(tally.outcomes(&ids), expected);
    }

    #[test]
    fn a_return_counts_for_its_own_message() {
        use Outcome::{Confirmed, Refused, Returned, Unknown};
        check(|_| [ack(None), ack(None), ack(None)], [Confirmed; 3]);
        // The return of the last message came with the confirm of the first one.
        check(
            |[_, _, c]| [ack(Some(c)), ack(None), ack(None)],
            [Confirmed, Confirmed, Returned],
        );
        check(
            |_| [ack(None), Some(Confirmation::Nack(None)), ack(None)],
            [Confirmed, Refused, Confirmed],
        );
        check(
            |_| [ack(None), None, ack(None)],
            [Confirmed, Unknown, Confirmed],
        );
        check(
            |_| [ack(None), Some(Confirmation::NotRequested), ack(None)],
            [Confirmed, Unknown, Confirmed],
        );
    }

    #[test]
    fn a_broken_batch_with_a_return_tells_nothing() {
        // Whose return comes with the confirm that is missing? Perhaps that of the second message.
        check(
            |[a, _, _]| [ack(Some(a)), ack(None), None],
            [Outcome::Unknown; 3],
        );
        let nameless = Some(Confirmation::Ack(Some(returned("not an id"))));
        check(|_| [nameless, ack(None), ack(None)], [Outcome::Unknown; 3]);
    }

    #[test]
    fn a_message_that_was_not_sent_is_unknown() {
        let (sent, unsent) = (id::new(), id::new());
        let mut tally = Tally::default();
        tally.count(sent, ack(None));
        assert_eq!(
            tally.outcomes(&[sent, unsent]),
            [Outcome::Confirmed, Outcome::Unknown]
        );
    }
}
