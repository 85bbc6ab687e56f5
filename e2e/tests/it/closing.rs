//! A buyer gives up while the money is taken, and it cannot be sent back: the seats are for sale again at the deadline, the money follows.

use e2e::rest::{Call, Person};
use mesh::identity::Role;

use crate::real::{Gate, Order, RealMesh, ShowPlan, Timings, lines, until};

/// What payment-svc tells about the money has not arrived.
const TOLD: Gate = Gate {
    statement: "INSERT ON inbox",
    rows: "NEW.consumer = 'booking-svc.payments'",
};

/// No refund can be written down.
const REFUND: Gate = Gate {
    statement: "INSERT ON refund",
    rows: "true",
};

const ALARM: &str = r#"usher_saga_alarms_total{alarm="payment_unknown"}"#;

/// Calls a booking off whose money is taken, without booking-svc knowing.
async fn give_up_in_between(mesh: &RealMesh, buyer: &Person, order: &Order) {
    TOLD.close(&mesh.booking).await;
    REFUND.close(&mesh.payment).await;
    mesh.pay(buyer, order, "approve").await;
    TOLD.reached(&mesh.booking).await;
    let cancel = Call::post(format!("/v1/bookings/{}:cancel", order.booking_id));
    mesh.ask(&cancel.by(buyer)).await;
    REFUND.reached(&mesh.payment).await;
    TOLD.open(&mesh.booking).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_cannot_go_back_keeps_no_seat_beyond_the_deadline() {
    let mesh = RealMesh::start(Timings::Short).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let order = mesh.order(&buyer, sale.pool_id, &[3, 4]).await;
    give_up_in_between(&mesh, &buyer, &order).await;
    until("the cancel is repeated, now for money", async || {
        let asked = "SELECT count(*) FROM saga_event WHERE kind = 'UNDO_INTENT'";
        (mesh.booking.number(asked).await > 1).then_some(())
    })
    .await;

    // Before the deadline nobody else gets the seats.
    let other = mesh.person(&[Role::User]);
    let seats = lines(sale.pool_id, &[3, 4]);
    let wish = Call::post("/v1/holds").by(&other).json(&seats);
    assert_eq!(mesh.rest.send(&wish).await.unwrap().reason(), "UNITS_TAKEN");
    assert_eq!(mesh.counter("booking-svc", ALARM).await, 0);

    mesh.booking
        .run("UPDATE saga SET deadline_time = now()")
        .await;
    until("the saga ends", async || {
        let ended = "SELECT count(*) FROM saga WHERE state = 'COMPENSATED'";
        (mesh.booking.number(ended).await == 1).then_some(())
    })
    .await;
    assert_eq!(mesh.counter("booking-svc", ALARM).await, 1);
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    assert_eq!(oracle.at("/refunded"), "0", "the money is still there");
    let next = mesh.order(&other, sale.pool_id, &[3, 4]).await;
    mesh.pay(&other, &next, "approve").await;
    mesh.tickets(&other, next.booking_id, 2).await;

    REFUND.open(&mesh.payment).await;
    mesh.quiesce().await;
    mesh.audit().await;
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    let told = (
        oracle.at("/captures"),
        oracle.at("/captured"),
        oracle.at("/refunded"),
    );
    assert_eq!(
        told,
        ("1".to_owned(), "100000".to_owned(), "100000".to_owned())
    );
    assert_eq!(mesh.counter("booking-svc", ALARM).await, 1, "told once");
}
