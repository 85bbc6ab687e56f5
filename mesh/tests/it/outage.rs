//! A broker that restarts or blocks. These tests hold it alone: nobody else's test sees the outage.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesh::amqp::{Handler, Message, Poison};
use mesh::config::{Env, ProcessEnv};
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::pg::{Connection, TxError};
use mesh::tasks::Tasks;
use mesh::timings::Timings;

use crate::broker::{BROKER, Corner, Event, QUEUE, stop};
use crate::consumer::Count;
use crate::outbox::append_events;
use crate::support::{Fixture, insert, until};

/// Runs a command of the stack that these tests run against.
fn run(arguments: &[&str]) {
    let command = ProcessEnv.get("USHER_STACK_CMD").expect(
        "USHER_STACK_CMD is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    );
    let name = ProcessEnv
        .get("USHER_STACK_NAME")
        .unwrap_or_else(|| "test".to_owned());
    let output = Command::new(command)
        .args(arguments)
        .args(["--name", &name])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn stack(arguments: &'static [&'static str]) {
    mesh::tasks::blocking(|| run(arguments)).await.unwrap();
}

/// The broker blocks publishers while this lives, also when the test fails.
struct Blocked;

impl Blocked {
    async fn new() -> Self {
        stack(&["rabbitmqctl", "set_vm_memory_high_watermark", "0"]).await;
        Self
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // RabbitMQ's own default.
        run(&["rabbitmqctl", "set_vm_memory_high_watermark", "0.4"]);
    }
}

/// Waits in its transaction until the gate opens, then inserts one effect a message.
struct Gated {
    open: Arc<AtomicBool>,
}

impl Handler for Gated {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let event: Event = message.decode()?;
        insert(connection, 1, &event.booking_id).await?;
        while !self.open.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_with_unacknowledged_messages_loses_none() {
    let _alone = BROKER.write().await;
    let (fixture, corner) = (Fixture::new().await, Corner::with(None));
    let open = Arc::new(AtomicBool::new(false));
    let handler = Gated {
        open: Arc::clone(&open),
    };
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), handler);
    let waker = corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    append_events(&fixture, 100).await;
    waker.wake();
    until("messages are being handled", async || {
        fixture.open_transactions().await >= 1
    })
    .await;
    stack(&["restart", "rabbit"]).await;
    append_events(&fixture, 100).await;
    waker.wake();
    open.store(true, Ordering::Relaxed);
    until("every message had its effect", async || {
        fixture
            .number("SELECT count(DISTINCT label) AS n FROM effect")
            .await
            == 200
    })
    .await;
    until("the outbox and the queue are empty", async || {
        fixture
            .number(
                "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM retry_message) AS n",
            )
            .await
            == 0
            && corner.depth(QUEUE).await == Some(0)
    })
    .await;
    stop(&fixture.tasks).await;
    assert_eq!(
        corner.depth(QUEUE).await,
        Some(0),
        "every delivery was acknowledged"
    );
    assert_eq!(
        fixture.number("SELECT count(*) AS n FROM effect").await,
        200,
        "once each"
    );
    Corner::leave_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_blocks_shows_in_health_and_loses_nothing() {
    let _alone = BROKER.write().await;
    let (fixture, corner, health) = (Fixture::new().await, Corner::with(None), Health::new());
    let tasks = Tasks::new();
    let publisher = mesh::amqp::Publisher::start(&corner.broker(&tasks, &health), corner.events);
    let waker = mesh::outbox::Relay::start(
        mesh::outbox::RelayOptions {
            database: fixture.database.clone(),
            publisher,
            events: corner.events,
            service: "test-svc".to_owned(),
            owner: "test-svc 1".to_owned(),
            timings: Timings::test(),
            faults: Faults::none(),
        },
        &tasks,
    );
    append_events(&fixture, 1).await;
    waker.wake();
    let rows = async || fixture.number("SELECT count(*) AS n FROM outbox").await;
    until("the way is open", async || rows().await == 0).await;
    let blocked = Blocked::new().await;
    append_events(&fixture, 10).await;
    waker.wake();
    let detail = || {
        health
            .report()
            .get("amqp publish")
            .map(|check| check.detail.clone())
    };
    until("health tells", async || {
        detail().is_some_and(|detail| detail.contains("blocked"))
    })
    .await;
    assert_eq!(rows().await, 10);
    assert!(health.is_ready(), "selling goes on");
    drop(blocked);
    until("the rows leave", async || rows().await == 0).await;
    until("health tells", async || {
        health
            .report()
            .get("amqp publish")
            .is_some_and(|check| check.up)
    })
    .await;
    stop(&tasks).await;
    corner.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_broker_refuses_stays_until_it_is_taken() {
    let (fixture, corner) = (Fixture::new().await, Corner::new().await);
    let waker = corner.relay(&fixture.database, &fixture.tasks, Faults::none());
    until("the queue exists", async || {
        corner.depth(QUEUE).await.is_some()
    })
    .await;
    let (name, pattern) = (corner.name("full"), format!("^{}", corner.prefix));
    // Our queues refuse publishers when they are full; only an operator's policy can make one full.
    let full = [
        "rabbitmqctl",
        "set_policy",
        &name,
        &pattern,
        r#"{"max-length":1}"#,
        "--apply-to",
        "queues",
    ];
    run(&full);
    // The limit of a quorum queue is soft: it refuses some messages later.
    let mut appended = 0;
    until("the broker refused some", async || {
        append_events(&fixture, 5).await;
        appended += 5;
        waker.wake();
        let refused = "SELECT count(*) AS n FROM outbox WHERE last_error = 'the broker refused it'";
        fixture.number(refused).await > 0
    })
    .await;
    // A consumer makes room.
    corner.consume(&fixture.database, &fixture.tasks, Faults::none(), Count);
    until("each had its effect", async || {
        fixture.number("SELECT count(*) AS n FROM effect").await == appended
    })
    .await;
    until("every row left", async || {
        fixture.number("SELECT count(*) AS n FROM outbox").await == 0
    })
    .await;
    stop(&fixture.tasks).await;
    let count = fixture.number("SELECT count(*) AS n FROM effect").await;
    assert_eq!(count, appended, "once each");
    run(&["rabbitmqctl", "clear_policy", &name]);
    corner.clear().await;
}
