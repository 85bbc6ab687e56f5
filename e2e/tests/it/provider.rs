//! A provider that breaks, lies and takes its time: nobody is charged without a ticket or a refund.

use e2e::rest::{Answer, Call, Person};
use futures_util::{StreamExt, stream};
use mesh::identity::Role;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::real::{Gate, LOOK_AGAIN, Order, RealMesh, Sale, Seats, ShowPlan, Timings, until};

/// Orders of each fault.
const ORDERS: usize = 20;
/// What the choices are drawn from.
const SEED: u64 = 20_260_102;
/// One buyer in so many gives up while the money is on its way.
const GIVE_UP: usize = 4;
/// Longer than payment-svc waits for an answer: 30 s.
const SLOW_MILLIS: u64 = 31_000;

/// The faults, and how many meet one at the same time. Fewer than five in a row: then the provider counts as away and nothing is sent to
/// it any more, which is another story.
const FAULTS: [(&str, usize); 6] = [
    ("reset before", 4),
    ("reset after", 4),
    ("5xx before", 4),
    ("5xx after", 4),
    ("stale inquiry", 4),
    ("slow", ORDERS),
];

/// The faults of one order, as the simulator reads them.
fn armed(fault: &str, chance: &mut Chance) -> Value {
    let on_confirm = |kind: &str, when: &str| json!({"on": "confirm", "kind": kind, "when": when});
    match fault {
        "reset before" => json!([on_confirm("reset", "before")]),
        "reset after" => json!([on_confirm("reset", "after")]),
        "5xx before" => json!([on_confirm("server_error", "before")]),
        "5xx after" => json!([on_confirm("server_error", "after")]),
        "stale inquiry" => json!([
            on_confirm("server_error", "after"),
            {"on": "inquire", "kind": "stale", "count": 1 + chance.below(3)}
        ]),
        _ => {
            let when = ["before", "after"][chance.below(2)];
            json!([{"on": "confirm", "kind": "latency", "when": when, "millis": SLOW_MILLIS}])
        }
    }
}

/// What the buyer does in the widget, with what will go wrong; answers the key.
async fn authorize(mesh: &RealMesh, order: &Order, faults: &Value) -> String {
    let amount: i64 = order.total["minorUnits"].as_str().unwrap().parse().unwrap();
    let body = json!({"amount": amount, "outcome": "approve", "faults": faults});
    let path = format!("/sim/orders/{}/authorize", order.payment_id);
    let answer = mesh.simulator.send(&Call::post(path).json(&body)).await;
    let answer = answer.unwrap();
    assert!(answer.is_ok(), "{}", answer.text);
    answer.at("/paymentKey")
}

async fn booking_of(mesh: &RealMesh, buyer: &Person, order: &Order) -> Answer {
    let call = Call::get(format!("/v1/bookings/{}", order.booking_id)).by(buyer);
    mesh.ask(&call).await
}

/// Pays until the booking is at an end, or gives up in between; answers whether it is confirmed.
async fn buy(
    mesh: &RealMesh,
    buyer: &Person,
    order: &Order,
    faults: &Value,
    gives_up: bool,
) -> bool {
    let key = authorize(mesh, order, faults).await;
    let confirm = mesh.confirmation(buyer, order, &key);
    mesh.rest.send(&confirm).await.unwrap();
    if gives_up {
        // When the money was faster, it goes back.
        let cancel = Call::post(format!("/v1/bookings/{}:cancel", order.booking_id));
        mesh.rest.send(&cancel.by(buyer)).await.unwrap();
    }
    let payment = Call::get(format!("/v1/payments/{}", order.payment_id)).by(buyer);
    until("the booking ends", async || {
        match booking_of(mesh, buyer, order)
            .await
            .at("/booking/state")
            .as_str()
        {
            "BOOKING_STATE_CONFIRMED" => return Some(true),
            // Given up before the money came, or cancelled after it.
            "BOOKING_STATE_FAILED" | "BOOKING_STATE_CANCELLED" => return Some(false),
            _ => {}
        }
        // No money was taken: once more, with a provider that works. It may be too late by now.
        if mesh.ask(&payment).await.at("/payment/state") == "PAYMENT_STATE_AWAITING_CUSTOMER" {
            let key = authorize(mesh, order, &json!([])).await;
            mesh.rest
                .send(&mesh.confirmation(buyer, order, &key))
                .await
                .unwrap();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        None
    })
    .await
}

/// How a story ended.
struct End {
    fault: &'static str,
    buyer: Person,
    order: Order,
    confirmed: bool,
}

/// One buyer of one seat.
async fn story(mesh: &RealMesh, sale: &Sale, fault: &'static str, number: usize) -> End {
    let mut chance = Chance::new(SEED + u64::try_from(number).unwrap());
    let buyer = mesh.person(&[Role::User]);
    let seat = i64::try_from(number).unwrap();
    let order = mesh.order(&buyer, sale.pool_id, &[seat]).await;
    let faults = armed(fault, &mut chance);
    let gives_up = chance.below(GIVE_UP) == 0;
    let confirmed = buy(mesh, &buyer, &order, &faults, gives_up).await;
    End {
        fault,
        buyer,
        order,
        confirmed,
    }
}

/// What the provider has of an order's money.
async fn kept(mesh: &RealMesh, order: &Order) -> i64 {
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    let number = |name: &str| oracle.json[name].as_i64().unwrap_or_default();
    number("captured") - number("refunded")
}

#[expect(clippy::print_stdout, reason = "how it went, under --nocapture")]
#[tokio::test(flavor = "multi_thread")]
async fn money_is_with_the_shop_exactly_for_confirmed_bookings() {
    let mesh = RealMesh::start(Timings::Short).await;
    let plan = ShowPlan {
        seats: Seats::Row(200),
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let mut ends = Vec::new();
    for (group, (fault, at_once)) in FAULTS.into_iter().enumerate() {
        let stories = (0..ORDERS).map(|number| story(&mesh, &sale, fault, group * ORDERS + number));
        let stories = stream::iter(stories).buffer_unordered(at_once);
        let told: Vec<_> = stories.collect().await;
        let confirmed = told.iter().filter(|end: &&End| end.confirmed).count();
        println!("seed {SEED}, {fault}: {confirmed} of {ORDERS} confirmed");
        ends.extend(told);
    }
    assert_eq!(ends.len(), FAULTS.len() * ORDERS);
    mesh.quiesce().await;
    for end in &ends {
        let (fault, order) = (end.fault, &end.order);
        // A charge that was stuck may still come, and go back.
        until(
            &format!("{fault}: the money of {order:?} is where it belongs"),
            async || {
                let booking = booking_of(&mesh, &end.buyer, order).await;
                assert_eq!(
                    booking.at("/booking/state") == "BOOKING_STATE_CONFIRMED",
                    end.confirmed
                );
                ((kept(&mesh, order).await > 0) == end.confirmed
                    && calls_ended(&mesh, fault, order).await)
                    .then_some(())
            },
        )
        .await;
    }
    mesh.quiesce().await;
    mesh.audit().await;
    for End { fault, order, .. } in &ends {
        let oracle = mesh.oracle(&order.payment_id.to_string()).await;
        let armed = oracle.json["faults"].as_array().unwrap().iter();
        let on_confirm = armed.filter(|fault| fault["on"] == "confirm");
        let fired: Vec<_> = on_confirm.map(|fault| fault["fired"].as_i64()).collect();
        assert_eq!(fired, [Some(1)], "{fault} fired once: {}", oracle.text);
    }
}

/// Whether no charge of the order is on its way any more.
async fn calls_ended(mesh: &RealMesh, fault: &str, order: &Order) -> bool {
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    // A stuck charge is taken in the end, unless another one was before.
    fault != "slow" || oracle.json["captures"].as_i64() == Some(1)
}

/// Money of a charge that was stuck until its booking had ended.
const LATE: Gate = Gate {
    statement: "INSERT ON late_capture",
    rows: "true",
};
/// Long after the proof of absence, which takes a few seconds here.
const STUCK_MILLIS: u64 = 9_000;

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_after_the_end_goes_back_once_although_payment_svc_is_killed() {
    let mut mesh = RealMesh::start(Timings::Short).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let order = mesh.order(&buyer, sale.pool_id, &[1]).await;
    LATE.close(&mesh.payment).await;
    let stuck =
        json!([{"on": "confirm", "kind": "latency", "when": "before", "millis": STUCK_MILLIS}]);
    let key = authorize(&mesh, &order, &stuck).await;
    let confirm = mesh.confirmation(&buyer, &order, &key);
    let give_up = async {
        let payment = Call::get(format!("/v1/payments/{}", order.payment_id)).by(&buyer);
        until("the charge is on its way", async || {
            let state = mesh.ask(&payment).await.at("/payment/state");
            (state != "PAYMENT_STATE_AWAITING_CUSTOMER").then_some(())
        })
        .await;
        let cancel = Call::post(format!("/v1/bookings/{}:cancel", order.booking_id));
        mesh.ask(&cancel.by(&buyer)).await;
        until("no money is there, so the seat is free", async || {
            let holds = mesh.booking.texts("SELECT state FROM hold").await;
            (holds == ["RELEASED"]).then_some(())
        })
        .await;
        LATE.reached(&mesh.payment).await;
    };
    let (answer, ()) = tokio::join!(mesh.rest.send(&confirm), give_up);
    drop(answer); // whatever it was, the booking had ended
    mesh.kill("payment-svc");
    LATE.undo(&mesh.payment).await;
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    assert_eq!(
        (oracle.at("/captured"), oracle.at("/refunded")),
        ("50000".to_owned(), "0".to_owned())
    );
    mesh.restart("payment-svc").await;
    until("the money went back", async || {
        (kept(&mesh, &order).await == 0).then_some(())
    })
    .await;
    mesh.quiesce().await;
    mesh.audit().await;
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    assert_eq!(
        (oracle.at("/captures"), oracle.at("/refunds")),
        ("1".to_owned(), "1".to_owned())
    );
    let late = "SELECT count(*) FROM late_capture JOIN refund USING (refund_id) WHERE cause = 'LATE_CAPTURE' AND state = 'DONE'";
    assert_eq!(mesh.payment.number(late).await, 1);
    // The seat is sold to somebody else, once.
    let other = mesh.person(&[Role::User]);
    let next = mesh.order(&other, sale.pool_id, &[1]).await;
    mesh.pay(&other, &next, "approve").await;
    mesh.tickets(&other, next.booking_id, 1).await;
}
