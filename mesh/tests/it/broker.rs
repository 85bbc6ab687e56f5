//! A corner of the broker for one test: names with a prefix of their own, removed at the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use mesh::amqp::{Broker, ConsumerOptions, Handler, Publisher, consume, park_queue};
use mesh::config::{Env, ProcessEnv, Secret};
use mesh::events::Events;
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::outbox::{Relay, RelayOptions, Waker};
use mesh::pg::Database;
use mesh::tasks::Tasks;
use mesh::timings::Timings;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::support::until;

/// Corners whose names are still there, by prefix.
static LEFT: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
/// So many of them: seconds of other tests lie between the last use of a name and its end.
const LEFT_MAX: usize = 8;

/// Who breaks the broker holds it alone.
pub(crate) static BROKER: RwLock<()> = RwLock::const_new(());

/// The queue of these tests; any of a message with one consumer would do.
pub(crate) const QUEUE: &str = "booking-svc.ticket-commands";
/// Its message.
pub(crate) type Event = proto::usher::booking::events::v1::IssueTicketsCommand;
/// A message nobody consumes.
pub(crate) type Unheard = proto::usher::booking::events::v1::BookingStarted;

pub(crate) fn url() -> Secret {
    let url = ProcessEnv.get("USHER_AMQP_URL");
    Secret::new(url.expect(
        "USHER_AMQP_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    ))
}

/// One process of the mesh as far as the broker sees it.
pub(crate) struct Corner {
    pub(crate) prefix: String,
    pub(crate) events: &'static Events,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

impl Corner {
    pub(crate) async fn new() -> Self {
        Self::with(Some(BROKER.read().await))
    }

    /// For a test that holds the broker alone.
    pub(crate) fn with(shared: Option<RwLockReadGuard<'static, ()>>) -> Self {
        Self {
            prefix: format!("t{}.", mesh::id::new().simple()),
            events: Events::embedded().unwrap(),
            _shared: shared,
        }
    }

    pub(crate) fn broker(&self, tasks: &Tasks, health: &Health) -> Broker {
        let reconnect = Timings::test().amqp_reconnect;
        Broker::new(&url(), &self.prefix, "test", health, tasks, reconnect).unwrap()
    }

    pub(crate) fn publisher(&self, tasks: &Tasks) -> Publisher {
        Publisher::start(&self.broker(tasks, &Health::new()), self.events)
    }

    pub(crate) fn relay(&self, database: &Database, tasks: &Tasks, faults: Faults) -> Waker {
        self.relay_through(self.publisher(tasks), database, tasks, faults)
    }

    pub(crate) fn relay_through(
        &self,
        publisher: Publisher,
        database: &Database,
        tasks: &Tasks,
        faults: Faults,
    ) -> Waker {
        let options = RelayOptions {
            database: database.clone(),
            publisher,
            events: self.events,
            service: "test-svc".to_owned(),
            owner: format!("test-svc {}", mesh::id::new()),
            timings: Timings::test(),
            faults,
        };
        Relay::start(options, tasks)
    }

    pub(crate) fn consume<H: Handler>(
        &self,
        database: &Database,
        tasks: &Tasks,
        faults: Faults,
        handler: H,
    ) {
        let options = ConsumerOptions {
            broker: self.broker(tasks, &Health::new()),
            database: database.clone(),
            events: self.events,
            timings: Timings::test(),
            faults,
        };
        consume(options, QUEUE, handler).unwrap();
    }

    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let connection = Connection::connect(url().expose(), ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Messages that are ready in a queue; `None` while it does not exist.
    pub(crate) async fn depth(&self, queue: &str) -> Option<u32> {
        let (connection, channel) = self.channel().await;
        let passive = QueueDeclareOptions {
            passive: true,
            ..Default::default()
        };
        let declared = channel
            .queue_declare(self.name(queue).into(), passive, FieldTable::default())
            .await;
        drop(connection.close(200, "done".into()).await);
        declared.ok().map(|queue| queue.message_count())
    }

    /// Takes a message out of a queue.
    pub(crate) async fn take(&self, queue: &str) -> Option<lapin::message::BasicGetMessage> {
        let (connection, channel) = self.channel().await;
        let taken = channel
            .basic_get(self.name(queue).into(), BasicGetOptions { no_ack: true })
            .await
            .unwrap();
        connection.close(200, "done".into()).await.unwrap();
        taken
    }

    /// Publishes by hand what no publisher of ours would. Waits for the binding: a queue exists a little earlier.
    pub(crate) async fn publish(&self, key: &str, payload: &[u8], properties: BasicProperties) {
        let (connection, channel) = self.channel().await;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        let mandatory = BasicPublishOptions {
            mandatory: true,
            ..Default::default()
        };
        until("the message is taken", async || {
            let (exchange, properties) = (self.name("usher.booking"), properties.clone());
            let sent =
                channel.basic_publish(exchange.into(), key.into(), mandatory, payload, properties);
            sent.await.unwrap().await.unwrap() == Confirmation::Ack(None)
        })
        .await;
        connection.close(200, "done".into()).await.unwrap();
    }

    /// Puts a message straight into a queue.
    pub(crate) async fn put(&self, queue: &str, payload: &[u8], properties: BasicProperties) {
        let (connection, channel) = self.channel().await;
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        select.await.unwrap();
        let (name, options) = (self.name(queue), BasicPublishOptions::default());
        let sent = channel.basic_publish("".into(), name.into(), options, payload, properties);
        let confirmed = sent.await.unwrap().await.unwrap();
        assert_eq!(confirmed, Confirmation::Ack(None));
        connection.close(200, "done".into()).await.unwrap();
    }

    /// Deletes a queue with what is in it.
    pub(crate) async fn delete(&self, queue: &str) {
        let (connection, channel) = self.channel().await;
        let gone = channel.queue_delete(self.name(queue).into(), QueueDeleteOptions::default());
        gone.await.unwrap();
        connection.close(200, "done".into()).await.unwrap();
    }

    /// Cuts the queue off its exchange.
    pub(crate) async fn unbind(&self, kind: &str) {
        let (connection, channel) = self.channel().await;
        channel
            .queue_unbind(
                self.name(QUEUE).into(),
                self.name("usher.booking").into(),
                kind.into(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        connection.close(200, "done".into()).await.unwrap();
    }

    /// Gives the names of this corner up. They are removed when some more corners were given up: RabbitMQ 3.10 loses the supervisor of all
    /// dead-lettering, and every queue of ours with it, when queues are deleted while their workers start. The last ones stay until the stack
    /// is reset.
    pub(crate) async fn clear(&self) {
        let oldest = {
            let mut left = LEFT.lock().unwrap();
            left.push_back(self.prefix.clone());
            (left.len() > LEFT_MAX).then(|| left.pop_front()).flatten()
        };
        let Some(prefix) = oldest else { return };
        let (connection, channel) = self.channel().await;
        let mut exchanges = BTreeMap::new();
        for (_, route) in self.events.iter() {
            exchanges.insert(route.exchange.clone(), ());
            for queue in &route.consumers {
                for name in [queue.clone(), park_queue(queue)] {
                    let name = format!("{prefix}{name}");
                    let gone = channel.queue_delete(name.into(), QueueDeleteOptions::default());
                    drop(gone.await);
                }
            }
        }
        for exchange in exchanges.into_keys() {
            let name = format!("{prefix}{exchange}");
            let gone = channel.exchange_delete(name.into(), ExchangeDeleteOptions::default());
            drop(gone.await);
        }
        drop(connection.close(200, "done".into()).await);
    }

    /// Leaves the names of every corner until the stack is reset: after a restart of the broker all their workers start at once.
    pub(crate) fn leave_all() {
        LEFT.lock().unwrap().clear();
    }
}

/// Ends the tasks of a process in order.
pub(crate) async fn stop(tasks: &Tasks) {
    let left = tasks.shutdown(Duration::from_secs(20)).await;
    assert!(left.is_empty(), "{left:?}");
}

/// A hook that halts the first task that passes `point`, for ever, and says so.
pub(crate) fn halt_at(point: &'static str) -> (Faults, Arc<tokio::sync::Notify>) {
    let reached = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&reached);
    let faults = Faults::new(move |passed| {
        let tell = Arc::clone(&tell);
        async move {
            if passed == point {
                tell.notify_one();
                std::future::pending::<()>().await;
            }
        }
    });
    (faults, reached)
}
