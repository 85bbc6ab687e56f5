//! The queues of one mesh, seen from outside and removed at its end.

use std::collections::BTreeMap;

use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use mesh::config::{Env, ProcessEnv};
use mesh::events::Events;

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
        let connection = connect().await;
        let mut depths = BTreeMap::new();
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
            depths.insert(queue, declared.map_or(0, |queue| queue.message_count()));
        }
        depths
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
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
