//! What an operator can do: to a saga and a refund through the inner door, to dead letters by grpcurl.

use e2e::rest::{Answer, Call, Person};
use mesh::id;
use mesh::identity::Role;
use serde_json::{Value, json};

use crate::real::{Order, RealMesh, ShowPlan, Timings, Tools, bearer, until};

async fn ask(mesh: &RealMesh, call: &Call) -> Answer {
    let answer = mesh.admin.send(call).await.unwrap();
    assert!(answer.is_ok(), "{}: {}", call.title(), answer.text);
    answer
}

fn order(admin: &Person, saga_id: &str, verb: &str) -> Call {
    let call = Call::post(format!("/v1/admin/sagas/{saga_id}:{verb}"));
    let reason = json!({"reason": format!("to {verb} it")});
    call.by(admin).key(id::new()).json(&reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_saga_stands_still_until_an_operator_lets_it_go_on() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let (buyer, admin) = (mesh.person(&[Role::User]), mesh.person(&[Role::Admin]));
    let order_of = mesh.order(&buyer, sale.pool_id, &[1]).await;
    mesh.order(&buyer, sale.pool_id, &[2]).await;
    let path = format!("/v1/admin/sagas?bookingId={}", order_of.booking_id);
    let listed = ask(&mesh, &Call::get(path).by(&admin)).await;
    assert_eq!(listed.json["sagas"].as_array().unwrap().len(), 1);
    assert_eq!(listed.at("/sagas/0/state"), "SAGA_STATE_WAITING");
    let saga_id = listed.at("/sagas/0/sagaId");

    let park = order(&admin, &saga_id, "park");
    for _ in 0..2 {
        let parked = ask(&mesh, &park).await;
        assert_eq!(parked.at("/saga/state"), "SAGA_STATE_PARKED");
        assert_eq!(parked.at("/saga/parkReason"), "to park it");
        assert_eq!(parked.at("/saga/parkBy"), admin.account_id.to_string());
    }
    mesh.pay(&buyer, &order_of, "approve").await;
    let told = "SELECT count(*) FROM inbox WHERE consumer = 'booking-svc.payments'";
    until("booking-svc was told of the money", async || {
        (mesh.booking.number(told).await == 1).then_some(())
    })
    .await;
    let booking = Call::get(format!("/v1/bookings/{}", order_of.booking_id)).by(&buyer);
    let waits = mesh.ask(&booking).await.at("/booking/state");
    assert_eq!(
        waits, "BOOKING_STATE_AWAITING_PAYMENT",
        "nobody takes its next step"
    );

    let retried = ask(&mesh, &order(&admin, &saga_id, "retry")).await;
    assert_eq!(retried.at("/saga/parkReason"), "");
    mesh.tickets(&buyer, order_of.booking_id, 1).await;
    let saga = ask(
        &mesh,
        &Call::get(format!("/v1/admin/sagas/{saga_id}")).by(&admin),
    )
    .await;
    assert_eq!(saga.at("/saga/state"), "SAGA_STATE_DONE");
    let events = saga.json["events"].as_array().unwrap().iter();
    let by_hand: Vec<_> = events.filter(|event| event["kind"] == "ADMIN").collect();
    assert_eq!(by_hand.len(), 2, "{}", saga.text);
    let audited = "SELECT reason FROM audit_log ORDER BY create_time";
    assert_eq!(
        mesh.booking.texts(audited).await,
        ["to park it", "to retry it"]
    );
    mesh.audit().await;
}

/// A paid booking of two seats at 50,000, of which the buyer gives one back while the provider refuses; answers the cancellation.
async fn cancelled_in_vain(mesh: &RealMesh, buyer: &Person) -> (Order, String) {
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let order = mesh.order(buyer, sale.pool_id, &[1, 2]).await;
    mesh.pay(buyer, &order, "approve").await;
    mesh.tickets(buyer, order.booking_id, 2).await;
    let faults = Call::post(format!("/sim/orders/{}/faults", order.payment_id));
    let faults = faults.json(&json!({"faults": [{"on": "cancel", "kind": "refuse_cancel"}]}));
    assert!(mesh.simulator.send(&faults).await.unwrap().is_ok());
    let cancel = Call::post(format!("/v1/bookings/{}:cancel", order.booking_id));
    let cancel = cancel.by(buyer).key(id::new());
    let answer = mesh.ask(&cancel.json(&json!({"lineNos": [1]}))).await;
    let shown = &answer.json["booking"]["cancellations"];
    assert_eq!(shown[0]["lineNos"], json!([1]), "{}", answer.text);
    assert_eq!(shown[0]["refund"]["minorUnits"], "50000");
    (order, answer.at("/booking/cancellations/0/cancellationId"))
}

/// Waits until the buyer sees the money of the cancellation there.
async fn money_is(mesh: &RealMesh, buyer: &Person, order: &Order, state: &str) -> Answer {
    let booking = Call::get(format!("/v1/bookings/{}", order.booking_id)).by(buyer);
    let what = format!("the cancellation is {state}");
    until(&what, async || {
        let answer = mesh.ask(&booking).await;
        (answer.at("/booking/cancellations/0/state") == state).then_some(answer)
    })
    .await
}

async fn alarm_shows(mesh: &RealMesh, parked: u64) {
    until(&format!("{parked} are parked"), async || {
        let shown = mesh
            .counter("payment-svc", "usher_payment_refunds_parked ")
            .await;
        (shown == parked).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_provider_refuses_is_seen_and_an_operator_sends_it_again() {
    let mesh = RealMesh::start(Timings::Short).await;
    let (buyer, admin) = (mesh.person(&[Role::User]), mesh.person(&[Role::Admin]));
    let (order, refund_id) = cancelled_in_vain(&mesh, &buyer).await;
    let parked = money_is(&mesh, &buyer, &order, "CANCELLATION_STATE_PARKED").await;
    assert_eq!(parked.at("/booking/cancellations/0/finishTime"), "");
    alarm_shows(&mesh, 1).await;
    let payment = Call::get(format!("/v1/payments/{}", order.payment_id));
    for person in [&buyer, &admin] {
        let shown = mesh.ask(&payment.clone().by(person)).await;
        assert_eq!(shown.at("/refunds/0/refundId"), refund_id);
        assert_eq!(shown.at("/refunds/0/state"), "REFUND_STATE_PARKED");
        assert_eq!(shown.at("/refunds/0/parkReason"), "NOT_CANCELABLE_PAYMENT");
    }

    let retry = |person| {
        let call = Call::post(format!("/v1/refunds/{refund_id}:retry"));
        let reason = json!({"reason": "the shop's balance is filled"});
        call.by(person).key(id::new()).json(&reason)
    };
    assert_eq!(
        mesh.rest.send(&retry(&admin)).await.unwrap().status,
        404,
        "not at the public door"
    );
    let denied = mesh.admin.send(&retry(&buyer)).await.unwrap();
    assert_eq!(denied.reason(), "ROLE_REQUIRED");
    let again = retry(&admin);
    for _ in 0..2 {
        let retried = ask(&mesh, &again).await;
        assert_eq!(retried.json["refund"]["retries"], 1, "{}", retried.text);
    }
    let back = money_is(&mesh, &buyer, &order, "CANCELLATION_STATE_DONE").await;
    assert_ne!(back.at("/booking/cancellations/0/finishTime"), "");
    alarm_shows(&mesh, 0).await;
    mesh.quiesce().await;
    let oracle = mesh.oracle(&order.payment_id.to_string()).await;
    assert_eq!(
        (&oracle.json["refunded"], &oracle.json["refunds"]),
        (&json!(50_000), &json!(1))
    );
    mesh.audit().await;
}

/// A call of DeadLetterService, as an operator types it.
async fn dead_letters(
    mesh: &RealMesh,
    process: &str,
    header: &str,
    rpc: &str,
    body: &Value,
) -> Result<Value, String> {
    let address = mesh.address(process);
    let host = address.strip_prefix("http://").unwrap();
    let (method, body) = (
        format!("usher.mesh.v1.DeadLetterService/{rpc}"),
        body.to_string(),
    );
    let call = ["-plaintext", "-H", header, "-d", &body, host, &method];
    let told = Tools::find().try_run("grpcurl", &call).await?;
    Ok(serde_json::from_str(&told).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_wait_for_an_operator() {
    let mesh = RealMesh::start(Timings::Short).await;
    let admin = bearer(&mesh.person(&[Role::Admin]));
    let seller = bearer(&mesh.person(&[Role::Seller]));
    let none = json!({});
    for (process, queue) in [
        ("booking-svc", "booking-svc.payments"),
        ("payment-svc", "payment-svc.commands"),
    ] {
        mesh.queues.put_nonsense(queue).await;
        let list = async || {
            dead_letters(&mesh, process, &admin, "ListDeadLetters", &none)
                .await
                .unwrap()
        };
        let found = until("it is laid aside", async || {
            let found = list().await;
            found["deadLetters"]
                .is_array()
                .then(|| found["deadLetters"][0].clone())
        })
        .await;
        assert_eq!(
            (&found["queue"], &found["reason"]),
            (&json!(queue), &json!("it has no message id"))
        );
        let order = |reason: &str| json!({"request_id": id::new(), "queue": queue, "message_id": found["messageId"], "reason": reason});
        // Replayed before anything is mended, it comes back.
        dead_letters(&mesh, process, &admin, "ReplayDeadLetter", &order("again"))
            .await
            .unwrap();
        until("it is laid aside again", async || {
            let again = list().await["deadLetters"][0].clone();
            (again["parkTime"] != found["parkTime"] && again.is_object()).then_some(())
        })
        .await;
        let denied =
            dead_letters(&mesh, process, &seller, "DiscardDeadLetter", &order("mine")).await;
        assert!(denied.unwrap_err().contains("PermissionDenied"));
        let discard = order("nonsense");
        dead_letters(&mesh, process, &admin, "DiscardDeadLetter", &discard)
            .await
            .unwrap();
        let gone = dead_letters(&mesh, process, &admin, "DiscardDeadLetter", &order("twice")).await;
        assert!(gone.unwrap_err().contains("NotFound"));
    }
    // Nothing is left, and there is no way to it from outside.
    mesh.quiesce().await;
    let outside = Call::post("/usher.mesh.v1.DeadLetterService/ListDeadLetters");
    assert_eq!(mesh.admin.send(&outside).await.unwrap().status, 404);
}
