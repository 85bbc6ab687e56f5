//! Consuming: one effect whatever happens around it.

use lapin::BasicProperties;
use mesh::amqp::{ConsumerOptions, Handler, Message, NoSuchQueue, Poison, consume, park_queue};
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::pg::{Connection, Database, DatabaseOptions, TxError};
use mesh::tasks::Tasks;
use mesh::timings::Timings;
use prost::{Message as _, Name};
use uuid::Uuid;

use crate::broker::{Corner, Event, QUEUE, halt_at, stop};
use crate::outbox::append_events;
use crate::support::{Fixture, insert, until, within};

/// Inserts one effect a message.
pub(crate) struct Count;

impl Handler for Count {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let event: Event = message.decode()?;
        insert(connection, 1, &event.booking_id).await?;
        Ok(())
    }
}

/// Properties of a message of [`Event`].
pub(crate) fn properties(message_id: Uuid) -> BasicProperties {
    BasicProperties::default()
        .with_message_id(message_id.to_string().into())
        .with_type(Event::full_name().into())
        .with_delivery_mode(2)
}

/// An encoded event.
pub(crate) fn body(booking: &str) -> Vec<u8> {
    let event = Event {
        booking_id: booking.to_owned(),
    };
    event.encode_to_vec()
}

pub(crate) async fn effects(fixture: &Fixture) -> i64 {
    fixture.number("SELECT count(*) AS n FROM effect").await
}

pub(crate) async fn dead_letters(fixture: &Fixture) -> i64 {
    let count = "SELECT count(*) AS n FROM dead_letter";
    fixture.number(count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_delivered_twice_has_one_effect() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("the queue exists", async || {
        corner.depth(QUEUE).await.is_some()
    })
    .await;
    let twice = mesh::id::new();
    for id in [twice, twice, mesh::id::new()] {
        corner
            .publish(&Event::full_name(), &body("b"), properties(id))
            .await;
    }
    until("all are handled", async || {
        corner.depth(QUEUE).await == Some(0)
            && fixture.number("SELECT count(*) AS n FROM inbox").await == 2
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(effects(&fixture).await, 2);
    assert_eq!(
        corner.depth(QUEUE).await,
        Some(0),
        "both deliveries were acknowledged"
    );
    corner.clear().await;
}

/// The 2x2 of the inbox: {inbox on, off} x {natural unique key on, off}. The inbox is switched off by taking its key away, so that every
/// message seems new.
#[tokio::test(flavor = "multi_thread")]
async fn without_inbox_and_without_a_natural_key_a_second_delivery_shows() {
    for (inbox, key, effects_expected, retries_expected) in [
        (true, true, 1, 0),
        (true, false, 1, 0),
        (false, true, 1, 1),
        (false, false, 2, 0),
    ] {
        let (fixture, corner) = (Fixture::new().await, Corner::new().await);
        if !inbox {
            fixture
                .sql("ALTER TABLE inbox DROP CONSTRAINT inbox_pkey")
                .await;
        }
        if key {
            fixture
                .sql("CREATE UNIQUE INDEX effect_natural ON effect (label)")
                .await;
        }
        corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
        until("the queue exists", async || {
            corner.depth(QUEUE).await.is_some()
        })
        .await;
        let id = mesh::id::new();
        corner
            .publish(&Event::full_name(), &body("b"), properties(id))
            .await;
        until("the first has its effect", async || {
            effects(&fixture).await == 1
        })
        .await;
        corner
            .publish(&Event::full_name(), &body("b"), properties(id))
            .await;
        corner
            .publish(
                &Event::full_name(),
                &body("last"),
                properties(mesh::id::new()),
            )
            .await;
        until("the last one came through", async || {
            fixture
                .number("SELECT count(*) AS n FROM effect WHERE label = 'last'")
                .await
                == 1
                && corner.depth(QUEUE).await == Some(0)
        })
        .await;
        stop(&fixture.tasks).await;
        let case = format!("inbox {inbox}, key {key}");
        let count = fixture
            .number("SELECT count(*) AS n FROM effect WHERE label = 'b'")
            .await;
        assert_eq!(count, effects_expected, "{case}");
        let fired = fixture
            .number("SELECT count(*) AS n FROM retry_message")
            .await;
        assert_eq!(fired, retries_expected, "{case}: the constraint fired");
        corner.clear().await;
    }
}

/// A consumer whose process is killed at `point`: its runtime, with its connections, goes away at once. `effects_then` is what it had done.
async fn kill_at(point: &'static str, effects_then: i64) {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let process = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (faults, reached) = halt_at(point);
    let (url, prefix) = (fixture.storage.url().clone(), corner.prefix.clone());
    process.spawn(async move {
        let tasks = Tasks::new();
        let options = DatabaseOptions::new("killed");
        let database = Database::connect(&url, &options, &tasks).await.unwrap();
        let mut corner = Corner::with(None);
        corner.prefix = prefix;
        corner.consume(&database, &tasks, faults, Count);
        std::future::pending::<()>().await;
    });
    until("the queue exists", async || {
        corner.depth(QUEUE).await.is_some()
    })
    .await;
    corner
        .publish(&Event::full_name(), &body("b"), properties(mesh::id::new()))
        .await;
    within("it gets there", reached.notified()).await;
    assert_eq!(effects(&fixture).await, effects_then, "{point}");
    process.shutdown_background();
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    corner
        .publish(
            &Event::full_name(),
            &body("marker"),
            properties(mesh::id::new()),
        )
        .await;
    until("both are handled", async || {
        effects(&fixture).await == 2 && corner.depth(QUEUE).await == Some(0)
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(corner.depth(QUEUE).await, Some(0), "{point}");
    let count = fixture
        .number("SELECT count(*) AS n FROM effect WHERE label = 'b'")
        .await;
    assert_eq!(count, 1, "{point}");
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_killed_before_the_effect_leaves_the_message_in_the_queue() {
    kill_at("amqp/received", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_killed_between_commit_and_ack_has_one_effect() {
    kill_at("amqp/committed", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_runs_and_leaves_the_rest() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    append_events(&fixture, 300).await;
    let relay = Tasks::new();
    corner.relay(&fixture.database, &relay, Faults::none());
    until("all are published", async || {
        corner.depth(QUEUE).await == Some(300)
    })
    .await;
    stop(&relay).await;
    let first = Tasks::new();
    corner.consume(&fixture.database, &first, Faults::none(), Count);
    until("some are handled", async || effects(&fixture).await >= 10).await;
    stop(&first).await;
    let handled = effects(&fixture).await;
    assert!(handled < 300, "the test was too slow to say anything");
    until("the rest is back", async || {
        corner.depth(QUEUE).await.map(i64::from) == Some(300 - handled)
    })
    .await;
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("all are handled", async || effects(&fixture).await == 300).await;
    stop(&fixture.tasks).await;
    assert_eq!(
        fixture
            .number("SELECT count(DISTINCT label) AS n FROM effect")
            .await,
        300
    );
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_no_event_names_does_not_start() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let options = ConsumerOptions {
        broker: corner.broker(&fixture.tasks, &Health::new()),
        database: fixture.database.clone(),
        events: corner.events,
        timings: Timings::test(),
        faults: Faults::none(),
    };
    assert_eq!(
        consume(options, "nobody.nothing", Count),
        Err(NoSuchQueue("nobody.nothing"))
    );
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_deleted_is_declared_and_consumed_again() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    let exists = async || corner.depth(&park_queue(QUEUE)).await.is_some();
    until("the queues exist", exists).await;
    let deleted = [QUEUE.to_owned(), park_queue(QUEUE), String::new()];
    for (handled, name) in (1..).zip(deleted) {
        let message = properties(mesh::id::new());
        corner
            .publish(&Event::full_name(), &body("b"), message)
            .await;
        let effect = async || effects(&fixture).await == handled;
        until("its messages are handled", effect).await;
        if !name.is_empty() {
            corner.delete(&name).await;
            let exists = async || corner.depth(&name).await.is_some();
            until("it is there again", exists).await;
        }
    }
    stop(&fixture.tasks).await;
    corner.clear().await;
}
