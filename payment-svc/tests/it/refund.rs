//! Refunds: each goes out once, whatever becomes of its answer, and one that is refused waits for a person.

use mesh::pg::TxError;
use payment_svc::app::Refusal;
use payment_svc::domain::{RefundState, Rejection, State};
use serde_json::json;

use crate::shop::{AMOUNT, Shop, hash, until};

async fn refund_state(shop: &Shop, refund_id: uuid::Uuid, state: &str) -> bool {
    shop.number(&format!(
        "SELECT count(*) AS n FROM refund WHERE refund_id = '{refund_id}' AND state = '{state}'"
    ))
    .await
        == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_refunded_up_to_the_whole_and_a_replay_is_one_refund() {
    let shop = Shop::open().await;
    let order = shop.captured().await;
    let asked = shop.asked_refund(&order, Some(4_000));
    let (refund, _) = shop.app.refund(asked.clone()).await.unwrap();
    assert!(matches!(
        refund.state,
        RefundState::Pending | RefundState::Sent | RefundState::Done
    ));
    shop.until_state(&order, State::PartiallyRefunded).await;
    assert_eq!(
        shop.app.refund(asked.clone()).await.unwrap().0.state,
        RefundState::Done,
        "a replay answers it as it is now"
    );
    let reused = payment_svc::app::refund::AskedRefund {
        hash: hash("other"),
        ..asked
    };
    assert!(matches!(
        shop.app.refund(reused).await,
        Err(TxError::Refused(Refusal::RequestIdReused))
    ));
    let too_much = shop.refund(&order, Some(AMOUNT - 3_999)).await;
    assert!(matches!(
        too_much,
        Err(TxError::Refused(Refusal::Rejected(
            Rejection::NotRefundable
        )))
    ));
    shop.refund(&order, None).await.unwrap();
    shop.until_state(&order, State::Refunded).await;
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, AMOUNT, 1, 2]
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_without_an_answer_happens_once() {
    let shop = Shop::open().await;
    let mut cells = 0;
    for kind in [
        "reset",
        "close",
        "server_error",
        "provider_error",
        "in_progress",
        "garbage",
    ] {
        for when in ["before", "after"] {
            let order = shop.captured().await;
            shop.gateway
                .arm(
                    order.payment_id,
                    json!([{"on": "cancel", "kind": kind, "when": when}]),
                )
                .await;
            shop.refund(&order, Some(4_000)).await.unwrap();
            shop.until_state(&order, State::PartiallyRefunded).await;
            assert_eq!(
                shop.gateway.truth(order.payment_id).await,
                [AMOUNT, 4_000, 1, 1],
                "{kind} {when}"
            );
            let calls = shop.gateway.oracle(order.payment_id).await["calls"].clone();
            assert_eq!(
                calls["cancel"],
                if when == "before" { 2 } else { 1 },
                "{kind} {when}: it was looked for before it was sent again"
            );
            shop.check_books(&order).await;
            cells += 1;
        }
    }
    assert_eq!(cells, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refund_parks_and_tells() {
    let shop = Shop::open().await;
    assert_eq!(shop.app.parked_refunds().await.unwrap(), (None, 0));
    let order = shop.captured().await;
    shop.gateway
        .arm(
            order.payment_id,
            json!([{"on": "cancel", "kind": "refuse_cancel"}]),
        )
        .await;
    let (refund, _) = shop.refund(&order, None).await.unwrap();
    until("it parks", async || {
        refund_state(&shop, refund.refund_id, "PARKED").await
    })
    .await;
    assert_eq!(
        shop.events(&order).await,
        ["PaymentCaptured", "RefundParked"]
    );
    assert_eq!(
        shop.app.parked_refunds().await.unwrap(),
        (Some(refund.refund_id), 1)
    );
    assert_eq!(shop.payment(&order).await.state, State::Captured);
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_never_send_the_same_refund() {
    let shop = Shop::open().await;
    let second = shop.second_instance().await;
    let mut orders = Vec::new();
    for _ in 0..10 {
        let order = shop.captured().await;
        shop.gateway
            .arm(
                order.payment_id,
                json!([{"on": "cancel", "kind": "latency", "when": "before", "millis": 100}]),
            )
            .await;
        orders.push(order);
    }
    for order in &orders {
        shop.refund(order, None).await.unwrap();
        second.committed();
    }
    for order in &orders {
        shop.until_state(order, State::Refunded).await;
        assert_eq!(
            shop.gateway.oracle(order.payment_id).await["calls"]["cancel"],
            1,
            "sent by one of them, once"
        );
        shop.check_books(order).await;
    }
}
