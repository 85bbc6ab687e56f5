//! The queues of one mesh, seen from outside and removed at its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use mesh::config::{Env, ProcessEnv};
use mesh::events::Events;

/// Whether the present mesh leaves its queues behind.
static LEFT: AtomicBool = AtomicBool::new(false);

/// The queues of the present mesh stay until the stack is reset: RabbitMQ 3.10 loses the supervisor of all dead-lettering when a queue is
/// deleted while its worker starts, as after a restart, and no queue of ours works from then on.
pub(crate) fn leave_queues() {
    LEFT.store(true, Ordering::Relaxed);
}

pub(crate) struct Queues {
    prefix: String,
}

impl Queues {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// Messages that wait in each queue, the park queues included. A queue that nobody declared yet is empty.
    pub(crate) async fn depths(&self) -> BTreeMap<String, u32> {
        let known = self.declared().await.into_iter();
        known
            .map(|(name, queue)| (name, queue.map_or(0, |queue| queue.message_count())))
            .collect()
    }

    /// What the broker says of every queue, a line each.
    pub(crate) async fn states(&self) -> Vec<String> {
        let known = self.declared().await.into_iter();
        known
            .map(|(name, queue)| format!("queue {name}: {queue:?}"))
            .collect()
    }

    async fn declared(&self) -> BTreeMap<String, lapin::Result<lapin::Queue>> {
        let connection = connect().await;
        let mut queues = BTreeMap::new();
        for queue in names() {
            // A passive declaration of what does not exist closes its channel.
            let channel = connection.create_channel().await.unwrap();
            let passive = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            let name = format!("{}{queue}", self.prefix);
            let declared = channel
                .queue_declare(name.into(), passive, FieldTable::default())
                .await;
            queues.insert(queue, declared);
        }
        queues
    }
}

impl Queues {
    /// Puts a message without id or type into a queue, once there is one: nobody can handle it.
    pub(crate) async fn put_nonsense(&self, queue: &str) {
        let connection = connect().await;
        let channel = connection.create_channel().await.unwrap();
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        select.await.unwrap();
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        super::until("the queue takes it", async || {
            let name = format!("{}{queue}", self.prefix);
            let properties = BasicProperties::default().with_delivery_mode(2);
            let sent =
                channel.basic_publish("".into(), name.into(), options, b"nonsense", properties);
            let confirmed = sent.await.unwrap().await.unwrap();
            (confirmed == Confirmation::Ack(None)).then_some(())
        })
        .await;
        connection.close(200, "done".into()).await.unwrap();
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        if LEFT.swap(false, Ordering::Relaxed) {
            return;
        }
        let prefix = self.prefix.clone();
        // A thread with a runtime of its own: this may run inside another runtime, and while a test panics.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(remove(&prefix));
        });
        drop(removed.join()); // a broker that is away has nothing to remove
    }
}

async fn remove(prefix: &str) {
    let connection = connect().await;
    let channel = connection.create_channel().await.unwrap();
    for queue in names() {
        let options = QueueDeleteOptions::default();
        let removed = channel.queue_delete(format!("{prefix}{queue}").into(), options);
        removed.await.unwrap();
    }
    for exchange in exchanges() {
        let options = ExchangeDeleteOptions::default();
        let removed = channel.exchange_delete(format!("{prefix}{exchange}").into(), options);
        removed.await.unwrap();
    }
}

async fn connect() -> Connection {
    let url = ProcessEnv.get("USHER_AMQP_URL").unwrap();
    Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap()
}

fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (_, route) in Events::embedded().unwrap().iter() {
        for queue in &route.consumers {
            names.extend([queue.clone(), mesh::amqp::park_queue(queue)]);
        }
    }
    names.sort();
    names.dedup();
    names
}

fn exchanges() -> Vec<String> {
    let events = Events::embedded().unwrap();
    let mut names: Vec<_> = events
        .iter()
        .map(|(_, route)| route.exchange.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}
