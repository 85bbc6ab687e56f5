//! Consuming: the effect and the inbox row commit together, the acknowledgement comes after.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{once, select};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer as Deliveries};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::broker::Broker;
use super::handle::{Applied, Handler, Poison, apply};
use super::link::{AmqpError, Link, Session, answer, short, supervise};
use super::message::Message;
use super::park;
use super::retry::{self, RetryWorker};
use super::topology::{declare, park_queue};
use crate::events::Events;
use crate::faults::Faults;
use crate::health::Need;
use crate::pg::{Database, TxError};
use crate::status::chain;
use crate::timings::Timings;

/// Unacknowledged messages at once. A quorum queue needs tens of them to flow; more would only wait here instead of there.
const PREFETCH: u16 = 50;
/// Transactions of one queue at once: below the background pool, so that a busy queue leaves room for the relay and the sweepers.
const CONCURRENCY: usize = 3;

/// What a consumer works with.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The broker.
    pub broker: Broker,
    /// Where the effects are; its background pool is used.
    pub database: Database,
    /// Routes of the contracts.
    pub events: &'static Events,
    /// Ladders and polls.
    pub timings: Timings,
    /// Fault points of tests: `amqp/received`, `amqp/committed`.
    pub faults: Faults,
}

/// Why a consumer does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no event option names the queue {0}")]
pub struct NoSuchQueue(pub &'static str);

/// Handles the messages of `queue` (without prefix, e.g. `svc.noun`) until the process stops, and tries failed ones again.
///
/// A duplicate is acknowledged without effect. What fails for now becomes a retry row and is acknowledged. Poison, and a type that the queue
/// is no consumer of, becomes a dead letter; so does what the broker has given up on. At the stop what runs is finished and the rest stays in
/// the queue.
pub fn consume<H: Handler>(
    options: ConsumerOptions,
    queue: &'static str,
    handler: H,
) -> Result<(), NoSuchQueue> {
    let types = options.events.types_of(queue);
    if types.is_empty() {
        return Err(NoSuchQueue(queue));
    }
    let tasks = options.broker.tasks.clone();
    let consumer = Arc::new(Consumer {
        database: options.database.background(),
        options,
        queue,
        types,
        handler: Arc::new(handler),
    });
    let worker = Arc::clone(&consumer);
    tasks.keep_running("message retry", move |stop| {
        let worker = RetryWorker::new(Arc::clone(&worker));
        async move { worker.run(stop).await }
    });
    tasks.keep_running("consumer", move |stop| {
        let consumer = Arc::clone(&consumer);
        async move { supervise(&consumer.options.broker, queue, &stop, &*consumer).await }
    });
    Ok(())
}

/// One queue and its handler.
pub(super) struct Consumer<H> {
    pub(super) options: ConsumerOptions,
    pub(super) database: Database,
    pub(super) queue: &'static str,
    types: BTreeSet<&'static str>,
    pub(super) handler: Arc<H>,
}

impl<H: Handler> Session for Consumer<H> {
    async fn run(&self, link: Link, stop: &CancellationToken) -> Result<(), AmqpError> {
        let (broker, channel) = (&self.options.broker, &link.channel);
        declare(channel, broker, self.options.events).await?;
        answer(
            "basic.qos",
            channel.basic_qos(PREFETCH, BasicQosOptions::default()),
        )
        .await?;
        let own = self.deliveries(channel, self.queue).await?;
        let parked = self.deliveries(channel, &park_queue(self.queue)).await?;
        // A queue that is deleted ends its own deliveries alone; either end is the end of the link, which declares both anew.
        let over = || once(ready((Origin::Queue, None)));
        let deliveries = select(
            own.map(|delivery| (Origin::Queue, Some(delivery)))
                .chain(over()),
            parked
                .map(|delivery| (Origin::Park, Some(delivery)))
                .chain(over()),
        );
        broker.health.up(self.queue, Need::Degrading);
        info!(queue = self.queue, "consuming {}", self.queue);
        // Ends the work in progress as well: what cannot be stored now is delivered again. Beside the stream and not in it, which is not
        // looked at while all places are taken, and is gone when a queue is.
        let end = link.broken.child_token();
        let ended = async {
            tokio::select! {
                () = stop.cancelled() => end.cancel(),
                () = end.cancelled() => {}
            }
        };
        let work = deliveries
            .take_until(end.cancelled())
            .take_while(|(_, delivery)| {
                let whole = matches!(delivery, Some(Ok(_)));
                if !whole {
                    end.cancel();
                }
                ready(whole)
            })
            .for_each_concurrent(CONCURRENCY, |(origin, delivery)| {
                let end = &end;
                async move {
                    match (origin, delivery) {
                        (Origin::Queue, Some(Ok(delivery))) => self.process(delivery, end).await,
                        (Origin::Park, Some(Ok(delivery))) => self.keep(delivery, end).await,
                        (_, Some(Err(_)) | None) => {}
                    }
                }
            });
        tokio::join!(
            async {
                work.await;
                end.cancel();
            },
            ended
        );
        if stop.is_cancelled() {
            link.close().await;
        }
        Ok(())
    }
}

/// Which queue a delivery came from.
#[derive(Clone, Copy)]
enum Origin {
    Queue,
    Park,
}

impl<H: Handler> Consumer<H> {
    async fn deliveries(&self, channel: &Channel, queue: &str) -> Result<Deliveries, AmqpError> {
        let queue = short(self.options.broker.name(queue))?;
        let options = BasicConsumeOptions::default();
        let consume = channel.basic_consume(queue, short("")?, options, FieldTable::default());
        answer("basic.consume", consume).await
    }

    async fn process(&self, delivery: Delivery, end: &CancellationToken) {
        let acker = delivery.acker;
        let message = match Message::read(&delivery.properties, delivery.data) {
            Ok(message) => Arc::new(message),
            Err(unreadable) => {
                let message = Arc::new(unreadable.message);
                return self.park(&acker, &message, &unreadable.poison).await;
            }
        };
        let id = message.message_id.to_string();
        self.options.faults.at("amqp/received").await;
        let mut failures = 0;
        loop {
            let error = match self.apply(&message).await {
                Ok(applied) => return self.acknowledge(&acker, applied, &message).await,
                Err(TxError::Refused(poison)) => return self.park(&acker, &message, &poison).await,
                Err(error) => chain(&error),
            };
            match retry::put(
                &self.database,
                self.queue,
                &message,
                &error,
                &self.options.timings,
            )
            .await
            {
                Ok(()) => {
                    self.count("retried");
                    warn!(
                        queue = self.queue,
                        message_id = id,
                        error,
                        "message {id} is tried again later: {error}"
                    );
                    return self.ack(&acker).await;
                }
                Err(cause) => {
                    let cause = chain(&cause);
                    warn!(
                        queue = self.queue,
                        message_id = id,
                        error = cause,
                        "message {id} cannot be stored for later: {cause}"
                    );
                }
            }
            if !self.pause(&mut failures, end).await {
                return;
            }
        }
    }

    /// Takes what the broker has laid aside.
    async fn keep(&self, delivery: Delivery, end: &CancellationToken) {
        let acker = delivery.acker;
        let message = Message::read(&delivery.properties, delivery.data);
        let message = Arc::new(message.unwrap_or_else(|unreadable| unreadable.message));
        let (queue, id) = (self.queue, message.message_id);
        let reason = park::brokers_reason(&message);
        let mut failures = 0;
        let kept = loop {
            let cause = match park::put(&self.database, queue, &message, &reason).await {
                Ok(kept) => break kept,
                Err(cause) => chain(&cause),
            };
            warn!(queue, message_id = %id, error = cause, "dead letter {id} stays with the broker: {cause}");
            if !self.pause(&mut failures, end).await {
                return;
            }
        };
        if kept {
            self.count("parked");
            error!(queue, message_id = %id, reason, "message {id} is a dead letter: {reason}");
        }
        self.ack(&acker).await;
    }

    /// The database is away. The message stays unacknowledged, bounded by the prefetch: giving it back would only bring it again. False at
    /// the end of the link.
    async fn pause(&self, failures: &mut u32, end: &CancellationToken) -> bool {
        let pause = self.options.timings.message_retry.wait(*failures);
        *failures = failures.saturating_add(1);
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = end.cancelled() => false,
        }
    }

    /// Has the effect of a message, unless its type is none of the queue's.
    pub(super) async fn apply(&self, message: &Arc<Message>) -> Result<Applied, TxError<Poison>> {
        if !self.types.contains(message.kind.as_str()) {
            let reason = format!("{} is no type of {}", message.kind, self.queue);
            return Err(Poison::new(reason).into());
        }
        apply(&self.database, self.queue, &self.handler, message).await
    }

    async fn acknowledge(&self, acker: &Acker, applied: Applied, message: &Message) {
        if applied == Applied::Done {
            self.handler.committed(message).await;
        }
        self.options.faults.at("amqp/committed").await;
        self.count(match applied {
            Applied::Done => "done",
            Applied::Duplicate => "duplicate",
        });
        self.ack(acker).await;
    }

    async fn ack(&self, acker: &Acker) {
        match answer("basic.ack", acker.ack(BasicAckOptions::default())).await {
            Ok(true) => {}
            // The channel is gone: the message comes again and is a duplicate then.
            Ok(false) => info!(queue = self.queue, "an acknowledgement came too late"),
            Err(error) => {
                warn!(queue = self.queue, error = %error, "an acknowledgement failed: {error}")
            }
        }
    }

    /// Lays a message aside. Where the database does not take it, the broker does, and `keep` brings it when the database is back.
    async fn park(&self, acker: &Acker, message: &Arc<Message>, poison: &Poison) {
        let id = message.message_id.to_string();
        let cause = match park::put(&self.database, self.queue, message, &poison.to_string()).await
        {
            Ok(kept) => {
                if kept {
                    self.count("parked");
                    error!(queue = self.queue, message_id = id, reason = %poison, "message {id} becomes a dead letter: {poison}");
                }
                return self.ack(acker).await;
            }
            Err(cause) => cause,
        };
        let cause = chain(&cause);
        warn!(
            queue = self.queue,
            message_id = id,
            error = cause,
            "dead letter {id} stays with the broker: {cause}"
        );
        let rejected = acker.reject(BasicRejectOptions { requeue: false });
        if let Err(error) = answer("basic.reject", rejected).await {
            warn!(queue = self.queue, error = %error, "a rejection failed: {error}");
        }
    }

    pub(super) fn count(&self, outcome: &'static str) {
        metrics::counter!("usher_messages_total", "queue" => self.queue, "outcome" => outcome)
            .increment(1);
    }
}
