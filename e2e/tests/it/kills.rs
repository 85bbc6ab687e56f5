//! Power cuts at the worst moments of a message's life: nothing is lost, and every effect happens once.
//!
//! A gate in the database or in the wire holds the process at the moment; then it is killed, or the broker is.

use std::process::Command;

use e2e::rest::Person;
use mesh::config::{Env, ProcessEnv};
use mesh::identity::Role;

use crate::real::{Gate, Order, RealMesh, ShowPlan, Timings, until};

const QUEUE: &str = "booking-svc.tickets";

/// The relay has published a confirmation and not yet deleted its row.
const PUBLISHED: Gate = Gate {
    statement: "DELETE ON outbox",
    rows: "OLD.type = 'usher.booking.events.v1.BookingConfirmed'",
};

/// The consumer has a confirmation in work.
const ISSUING: Gate = Gate {
    statement: "INSERT ON ticket",
    rows: "true",
};

/// A buyer with two seats whose money is still to come.
async fn two_seats(mesh: &RealMesh) -> (Person, Order) {
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let order = mesh.order(&buyer, sale.pool_id, &[3, 4]).await;
    (buyer, order)
}

/// One sale of two seats: one capture, two tickets, and each message taken once.
async fn one_effect(mesh: &RealMesh, buyer: &Person, order: &Order) {
    mesh.reaches(buyer, order.booking_id, "BOOKING_STATE_CONFIRMED")
        .await;
    mesh.tickets(buyer, order.booking_id, 2).await;
    mesh.quiesce().await;
    mesh.audit().await;
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    let told = (
        oracle.at("/captures"),
        oracle.at("/captured"),
        oracle.at("/refunded"),
    );
    assert_eq!(told, ("1".to_owned(), "100000".to_owned(), "0".to_owned()));
    assert_eq!(mesh.booking.number("SELECT count(*) FROM ticket").await, 2);
    assert_eq!(taken(mesh).await, 1, "messages that issued tickets");
}

/// Messages that the consumer of confirmations has taken.
async fn taken(mesh: &RealMesh) -> i64 {
    let sql = format!("SELECT count(*) FROM inbox WHERE consumer = '{QUEUE}'");
    mesh.booking.number(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_publish_and_delete() {
    let mut mesh = RealMesh::start(Timings::Short).await;
    let (buyer, order) = two_seats(&mesh).await;
    PUBLISHED.close(&mesh.booking).await;
    mesh.pay(&buyer, &order, "approve").await;
    PUBLISHED.reached(&mesh.booking).await;
    mesh.tickets(&buyer, order.booking_id, 2).await;
    mesh.kill("booking-svc");
    PUBLISHED.undo(&mesh.booking).await;
    let row = "SELECT count(*) FROM outbox WHERE type LIKE '%BookingConfirmed'";
    assert_eq!(mesh.booking.number(row).await, 1, "the row is still there");
    assert_eq!(taken(&mesh).await, 1, "and its message is out already");
    mesh.restart("booking-svc").await;
    one_effect(&mesh, &buyer, &order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_commit_and_ack() {
    let mut mesh = RealMesh::start(Timings::Short).await;
    let (buyer, order) = two_seats(&mesh).await;
    ISSUING.close(&mesh.booking).await;
    mesh.pay(&buyer, &order, "approve").await;
    ISSUING.reached(&mesh.booking).await;
    mesh.tap.hold();
    ISSUING.open(&mesh.booking).await;
    mesh.tickets(&buyer, order.booking_id, 2).await;
    assert_eq!(
        mesh.depth(QUEUE).await,
        0,
        "the message is in work, its ack in the wire"
    );
    mesh.kill("booking-svc");
    until("the broker has the message again", async || {
        (mesh.depth(QUEUE).await == 1).then_some(())
    })
    .await;
    mesh.tap.let_go();
    mesh.restart("booking-svc").await;
    one_effect(&mesh, &buyer, &order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_killed_with_a_message_in_work() {
    let mesh = RealMesh::start(Timings::Short).await;
    let (buyer, order) = two_seats(&mesh).await;
    ISSUING.close(&mesh.booking).await;
    mesh.pay(&buyer, &order, "approve").await;
    ISSUING.reached(&mesh.booking).await;
    assert_eq!(mesh.depth(QUEUE).await, 0, "the message is in work");
    mesh::tasks::blocking(kill_broker).await.unwrap();
    ISSUING.open(&mesh.booking).await;
    one_effect(&mesh, &buyer, &order).await;
}

/// kill -9 of RabbitMQ; returns when it answers again.
pub(crate) fn kill_broker() {
    crate::real::leave_queues();
    kill_server("rabbit");
}

/// kill -9 of a server of the stack; returns when it answers again.
pub(crate) fn kill_server(server: &str) {
    let command = ProcessEnv.get("USHER_STACK_CMD").expect(
        "USHER_STACK_CMD is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    );
    let name = ProcessEnv.get("USHER_STACK_NAME");
    let output = Command::new(command)
        .args(["kill", server, "--name", &name.unwrap_or_default()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
