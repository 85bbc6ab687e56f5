//! The relay: what commits leaves, what is not confirmed stays.

use mesh::faults::{Faults, Halt};
use mesh::outbox::append;
use mesh::pg::TxError;
use mesh::tasks::Tasks;
use prost::{Message, Name};
use uuid::Uuid;

use crate::broker::{Corner, Event, QUEUE, Unheard, halt_at, stop};
use crate::consumer::Count;
use crate::support::{Fixture, number, until, within};

fn event(booking: Uuid) -> Event {
    Event {
        booking_id: booking.to_string(),
    }
}

/// Appends `count` events, each about another aggregate.
pub(crate) async fn append_events(fixture: &Fixture, count: usize) {
    fixture
        .database
        .transaction("append", async move |connection| {
            for _ in 0..count {
                let booking = mesh::id::new();
                append(connection, &event(booking), booking).await?;
            }
            Ok::<_, TxError<std::convert::Infallible>>(())
        })
        .await
        .unwrap();
}

async fn rows(fixture: &Fixture) -> i64 {
    fixture.number("SELECT count(*) AS n FROM outbox").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_commits_is_published_and_deleted() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let trace = mesh::trace::TraceParent::fresh();
    mesh::trace::within(Some(trace), append_events(&fixture, 1)).await;
    let refused = fixture
        .database
        .transaction("refuse", async |connection| {
            append(connection, &event(Uuid::nil()), Uuid::nil()).await?;
            number(connection, "SELECT 1/0::bigint AS n").await?;
            Ok::<_, TxError<std::convert::Infallible>>(())
        })
        .await;
    assert!(refused.is_err());
    assert_eq!(rows(&fixture).await, 1);
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the row leaves", async || rows(&fixture).await == 0).await;
    let message = corner.take(QUEUE).await.unwrap().delivery;
    let sent = Event::decode(&message.data[..]).unwrap();
    let properties = message.properties;
    assert_eq!(
        properties.kind().as_ref().unwrap().as_str(),
        Event::full_name()
    );
    assert_eq!(*properties.delivery_mode(), Some(2));
    let headers = properties.headers().as_ref().unwrap().inner();
    let text = |name: &str| match headers.get(name) {
        Some(lapin::types::AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(
        text("cloudEvents_id"),
        properties.message_id().as_ref().unwrap().as_str()
    );
    assert_eq!(text("cloudEvents_type"), Event::full_name());
    assert_eq!(text("cloudEvents_source"), "test-svc");
    assert_eq!(text("cloudEvents_subject"), sent.booking_id);
    assert_eq!(text("cloudEvents_specversion"), "1.0");
    assert!(text("cloudEvents_time").ends_with('Z'));
    assert!(text("traceparent").contains(&trace.trace_id()));
    assert_eq!(
        corner.take(QUEUE).await.map(|_| ()),
        None,
        "nothing of the refused transaction"
    );
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_consumers_still_leaves() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let appended = fixture.database.transaction("append", async |connection| {
        append(connection, &Unheard::default(), Uuid::nil()).await?;
        Ok::<_, TxError<std::convert::Infallible>>(())
    });
    appended.await.unwrap();
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the row leaves", async || rows(&fixture).await == 0).await;
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_message_stays_until_a_queue_takes_it() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let tasks = Tasks::new();
    corner.relay(&fixture.database, &tasks, Faults::none());
    append_events(&fixture, 1).await;
    until("the topology works", async || rows(&fixture).await == 0).await;
    corner.unbind(&Event::full_name()).await;
    append_events(&fixture, 5).await;
    until("each row was returned", async || {
        fixture.number("SELECT count(*) AS n FROM outbox WHERE attempts >= 1 AND last_error = 'no queue took it'").await == 5
    })
    .await;
    // An event nobody consumes passes by the resting rows.
    let appended = fixture.database.transaction("append", async |connection| {
        append(connection, &Unheard::default(), Uuid::nil()).await?;
        Ok::<_, TxError<std::convert::Infallible>>(())
    });
    appended.await.unwrap();
    until("the other one leaves", async || rows(&fixture).await == 5).await;
    stop(&tasks).await;
    // A relay that starts anew declares the binding again.
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the rows leave", async || rows(&fixture).await == 0).await;
    assert_eq!(corner.depth(QUEUE).await, Some(6));
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_unknown_type_is_parked_and_blocks_nobody() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    fixture
        .sql("INSERT INTO outbox (message_id, part, aggregate, type, exchange, payload)
              SELECT gen_random_uuid(), part, gen_random_uuid(), 'not.a.Type', 'usher.booking', '' FROM outbox_part")
        .await;
    append_events(&fixture, 32).await;
    let tasks = Tasks::new();
    corner.relay(&fixture.database, &tasks, Faults::none());
    until("only the parked rows are left", async || {
        rows(&fixture).await == 16
            && fixture
                .number("SELECT count(*) AS n FROM outbox WHERE parked_time IS NOT NULL")
                .await
                == 16
    })
    .await;
    assert_eq!(corner.depth(QUEUE).await, Some(32));
    stop(&tasks).await;
    // A program that knows the type publishes them.
    fixture
        .sql(&format!(
            "UPDATE outbox SET type = '{}'",
            Event::full_name()
        ))
        .await;
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the parked rows leave", async || rows(&fixture).await == 0).await;
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_confirm_and_delete_delivers_twice_and_has_one_effect() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    append_events(&fixture, 1).await;
    let (faults, confirmed) = halt_at("outbox/confirmed");
    let crashed = Tasks::new();
    corner.relay(&fixture.database, &crashed, faults);
    within("the broker confirms", confirmed.notified()).await;
    assert_eq!(rows(&fixture).await, 1, "nothing was deleted");
    assert_eq!(corner.depth(QUEUE).await, Some(1));
    // The second relay waits for the leases of the first one to run out.
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the row leaves", async || rows(&fixture).await == 0).await;
    assert_eq!(corner.depth(QUEUE).await, Some(2), "it was delivered twice");
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("the queue is empty", async || {
        corner.depth(QUEUE).await == Some(0)
    })
    .await;
    until("it had its effect", async || {
        fixture.number("SELECT count(*) AS n FROM inbox").await == 1
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 1);
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_wakes_up_after_its_lease_sends_nothing() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    append_events(&fixture, 1).await;
    let halt = Halt::default();
    let sleepy = halt.at("outbox/read");
    // Its way to the broker stays open until it has ended, so that only the lease can hold it back.
    let (first, way) = (Tasks::new(), Tasks::new());
    corner.relay_through(corner.publisher(&way), &fixture.database, &first, sleepy);
    within("it reads", halt.reached()).await;
    corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the other relay takes over", async || {
        rows(&fixture).await == 0
    })
    .await;
    halt.go();
    stop(&first).await;
    stop(&way).await;
    assert_eq!(corner.depth(QUEUE).await, Some(1), "published once");
    stop(&fixture.tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_share_the_parts_and_publish_each_row_once() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    for _ in 0..2 {
        corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    }
    let owned = "SELECT count(*) AS n FROM outbox_part WHERE lease_until > clock_timestamp()";
    until("every part is owned", async || {
        fixture.number(owned).await == 16
    })
    .await;
    let owners = fixture
        .number("SELECT count(DISTINCT lease_owner) AS n FROM outbox_part")
        .await;
    assert_eq!(owners, 2, "relays that start together share");
    for _ in 0..20 {
        append_events(&fixture, 10).await;
    }
    until("every row leaves", async || rows(&fixture).await == 0).await;
    stop(&fixture.tasks).await;
    assert_eq!(corner.depth(QUEUE).await, Some(200));
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_loses_nothing() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let (tasks, health) = (Tasks::new(), mesh::health::Health::new());
    // Nobody listens on the discard port.
    let nowhere = mesh::config::Secret::new("amqp://guest:guest@127.0.0.1:9/%2f");
    let timings = mesh::timings::Timings::test();
    let broker = mesh::amqp::Broker::new(
        &nowhere,
        "",
        "test",
        &health,
        &tasks,
        timings.amqp_reconnect,
    )
    .unwrap();
    let options = mesh::outbox::RelayOptions {
        database: fixture.database.clone(),
        publisher: mesh::amqp::Publisher::start(&broker, corner.events),
        events: corner.events,
        service: "test-svc".to_owned(),
        owner: "test-svc 1".to_owned(),
        timings,
        faults: Faults::none(),
    };
    let waker = mesh::outbox::Relay::start(options, &tasks);
    append_events(&fixture, 3).await;
    waker.wake();
    until("health tells", async || {
        health
            .report()
            .get("amqp publish")
            .is_some_and(|check| !check.up)
    })
    .await;
    assert!(health.is_ready(), "selling goes on without the broker");
    stop(&tasks).await;
    assert_eq!(
        fixture
            .number("SELECT count(*) AS n FROM outbox WHERE attempts = 0")
            .await,
        3
    );
    assert_eq!(
        fixture
            .number("SELECT count(*) AS n FROM outbox_part WHERE lease_owner IS NOT NULL")
            .await,
        0
    );
}
