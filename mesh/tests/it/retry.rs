//! Messages that cannot be handled now, or ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lapin::BasicProperties;
use mesh::amqp::{Handler, Message, Poison};
use mesh::faults::Faults;
use mesh::pg::{Connection, TxError};
use mesh::tasks::Tasks;
use prost::Name;

use crate::broker::{Corner, Event, QUEUE, stop};
use crate::consumer::{Count, body, dead_letters, effects, properties};
use crate::outbox::append_events;
use crate::support::{Fixture, insert, until};

/// Fails until it is told not to.
struct Failing {
    fail: Arc<AtomicBool>,
    attempts: Arc<AtomicU32>,
}

impl Handler for Failing {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        insert(connection, 1, &message.kind).await?;
        if self.fail.load(Ordering::Relaxed) {
            return Err(TxError::LockTimeout);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_passes_is_tried_again_until_it_works() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let (fail, attempts) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let handler = Failing {
        fail: Arc::clone(&fail),
        attempts: Arc::clone(&attempts),
    };
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), handler);
    append_events(&fixture, 1).await;
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("it failed three times", async || {
        attempts.load(Ordering::Relaxed) >= 3
    })
    .await;
    assert_eq!(
        corner.depth(QUEUE).await,
        Some(0),
        "it was acknowledged and waits in the database"
    );
    assert_eq!(effects(&fixture).await, 0);
    assert_eq!(
        fixture
            .number("SELECT count(*) AS n FROM retry_message")
            .await,
        1
    );
    fail.store(false, Ordering::Relaxed);
    until("it works", async || {
        effects(&fixture).await == 1
            && fixture
                .number("SELECT count(*) AS n FROM retry_message")
                .await
                == 0
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(effects(&fixture).await, 1);
    assert_eq!(
        corner.depth(QUEUE).await,
        Some(0),
        "the delivery was acknowledged"
    );
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_becomes_a_dead_letter() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("the queue exists", async || {
        corner.depth(QUEUE).await.is_some()
    })
    .await;
    let key = Event::full_name();
    corner
        .publish(&key, b"\xff\xff\xff", properties(mesh::id::new()))
        .await;
    corner
        .publish(
            &key,
            &body("b"),
            properties(mesh::id::new()).with_type("not.a.Type".into()),
        )
        .await;
    corner
        .publish(
            &key,
            &body("b"),
            BasicProperties::default().with_type(key.clone().into()),
        )
        .await;
    corner
        .publish(
            &key,
            &body("b"),
            BasicProperties::default().with_message_id(mesh::id::new().to_string().into()),
        )
        .await;
    until("all are parked", async || dead_letters(&fixture).await == 4).await;
    // It blocks nobody.
    corner
        .publish(&key, &body("b"), properties(mesh::id::new()))
        .await;
    until("the next one is handled", async || {
        effects(&fixture).await == 1
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(fixture.number("SELECT count(*) AS n FROM inbox").await, 1);
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_found_at_a_later_attempt_is_parked_too() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    fixture
        .sql(&format!(
            "INSERT INTO retry_message (consumer, message_id, type, payload, attempts, next_attempt_time, last_error)
             VALUES ('{QUEUE}', gen_random_uuid(), 'not.a.Type', '', 1, now(), 'as the test asked')"
        ))
        .await;
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("it is parked", async || dead_letters(&fixture).await == 1).await;
    until("its row is gone", async || {
        fixture
            .number("SELECT count(*) AS n FROM retry_message")
            .await
            == 0
    })
    .await;
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_unacknowledged_while_the_database_is_away() {
    let (fixture, elsewhere, corner) = (
        Fixture::new().await,
        Fixture::new().await,
        Corner::new().await,
    );
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("the queue exists", async || {
        corner.depth(QUEUE).await.is_some()
    })
    .await;
    elsewhere.forbid(&fixture, true).await;
    corner
        .publish(&Event::full_name(), &body("b"), properties(mesh::id::new()))
        .await;
    until("it was delivered", async || {
        corner.depth(QUEUE).await == Some(0)
    })
    .await;
    elsewhere.forbid(&fixture, false).await;
    until("it has its effect", async || effects(&fixture).await == 1).await;
    stop(&fixture.tasks).await;
    assert_eq!(corner.depth(QUEUE).await, Some(0));
    assert_eq!(effects(&fixture).await, 1);
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reaches_messages_that_wait_for_the_database() {
    let (fixture, elsewhere, corner) = (
        Fixture::new().await,
        Fixture::new().await,
        Corner::new().await,
    );
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    let exists = async || corner.depth(QUEUE).await.is_some();
    until("the queue exists", exists).await;
    elsewhere.forbid(&fixture, true).await;
    // More than are worked on at once.
    for _ in 0..5 {
        let message = properties(mesh::id::new());
        corner
            .publish(&Event::full_name(), &body("b"), message)
            .await;
    }
    let delivered = async || corner.depth(QUEUE).await == Some(0);
    until("all were delivered", delivered).await;
    stop(&fixture.tasks).await;
    let back = async || corner.depth(QUEUE).await == Some(5);
    until("all are in the queue again", back).await;
    elsewhere.forbid(&fixture, false).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_failed_for_a_day_is_parked() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    fixture
        .sql(&format!(
            "INSERT INTO retry_message (consumer, message_id, type, payload, attempts, next_attempt_time, last_error)
             VALUES ('{QUEUE}', gen_random_uuid(), '{kind}', '', 299, now(), 'as the test asked')",
            kind = Event::full_name()
        ))
        .await;
    let handler = Failing {
        fail: Arc::new(AtomicBool::new(true)),
        attempts: Arc::default(),
    };
    let attempts = Arc::clone(&handler.attempts);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), handler);
    until("it is parked", async || dead_letters(&fixture).await == 1).await;
    until("its row is gone", async || {
        fixture
            .number("SELECT count(*) AS n FROM retry_message")
            .await
            == 0
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(
        attempts.load(Ordering::Relaxed),
        2,
        "the 300th attempt and the last one"
    );
    assert_eq!(effects(&fixture).await, 0);
    corner.clear().await;
}

/// Begins and never ends, as if the process died of it.
struct Deadly;

impl Handler for Deadly {
    async fn handle(&self, _: &mut Connection, _: &Message) -> Result<(), TxError<Poison>> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_counted_before_it_begins() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    fixture
        .sql(&format!(
            "INSERT INTO retry_message (consumer, message_id, type, payload, attempts, next_attempt_time, last_error)
             VALUES ('{QUEUE}', gen_random_uuid(), '{kind}', '', 1, now(), 'as the test asked')",
            kind = Event::full_name()
        ))
        .await;
    let first = Tasks::new();
    corner.consume(&fixture.database, &first, Faults::none(), Deadly);
    let counted = "SELECT count(*) AS n FROM retry_message WHERE attempts = 2";
    let looked = async || fixture.number(counted).await == 1;
    until("the attempt is counted while it runs", looked).await;
    // Past the last attempt nobody begins again: it would kill the next process, too.
    fixture
        .sql("UPDATE retry_message SET attempts = 301, next_attempt_time = now()")
        .await;
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Deadly);
    let parked = async || dead_letters(&fixture).await == 1;
    until("it is laid aside", parked).await;
    // The first attempt still hangs, so nothing here is stopped in order.
    corner.clear().await;
}
