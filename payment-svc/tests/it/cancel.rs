//! Cancelling makes sure that no money stays, whatever came before and whatever comes after.

use std::time::Duration;

use mesh::pg::TxError;
use payment_svc::app::Refusal;
use payment_svc::app::read::Viewer;
use payment_svc::domain::{NewPayment, Outcome, Rejection, State};
use payment_svc::provider::{Charge, Provider};
use payment_svc::store::payment::Stored;
use serde_json::json;

use crate::shop::{AMOUNT, Shop, hash, stranger, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_first_refuses_the_payment() {
    let shop = Shop::open().await;
    let order = shop.order(600);
    assert!(matches!(
        shop.cancel(&order).await.unwrap(),
        Stored::Tombstone(_)
    ));
    assert!(
        matches!(shop.cancel(&order).await.unwrap(), Stored::Tombstone(_)),
        "twice"
    );
    let refused = shop.app.create(order.clone(), hash("create")).await;
    assert!(
        matches!(
            refused,
            Err(TxError::Refused(Refusal::Rejected(Rejection::Cancelled)))
        ),
        "{refused:?}"
    );
    assert_eq!(
        shop.events(&order).await,
        ["PaymentCancelled", "PaymentCancelled"],
        "told again"
    );
    assert!(
        shop.app
            .get(order.payment_id, Viewer::Everyone)
            .await
            .is_ok()
    );
    assert!(
        shop.app
            .get(order.payment_id, Viewer::Account(order.account_id))
            .await
            .is_err(),
        "a tombstone has no owner"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_payment_is_cancelled_and_cannot_be_confirmed() {
    let shop = Shop::open().await;
    let (order, key) = shop.authorized("approve", json!([])).await;
    shop.cancel(&order).await.unwrap();
    assert_eq!(shop.payment(&order).await.state, State::Cancelled);
    let refused = shop.confirm(&order, &key).await;
    assert!(
        matches!(
            refused,
            Err(TxError::Refused(Refusal::Rejected(Rejection::Cancelled)))
        ),
        "{refused:?}"
    );
    assert_eq!(shop.gateway.truth(order.payment_id).await, [0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_payment_is_refunded_once_however_often_it_is_cancelled() {
    let shop = Shop::open().await;
    let order = shop.captured().await;
    for _ in 0..3 {
        shop.cancel(&order).await.unwrap();
    }
    shop.until_state(&order, State::Refunded).await;
    // A cancel that came after the refund has told the end again already.
    let told = shop.events(&order).await;
    assert!(
        told[0] == "PaymentCaptured" && told[1..].iter().all(|name| name == "PaymentRefunded"),
        "{told:?}"
    );
    shop.cancel(&order).await.unwrap();
    assert_eq!(
        shop.events(&order).await.len(),
        told.len() + 1,
        "the end is told again"
    );
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, AMOUNT, 1, 1]
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_of_something_unknown_waits_for_the_truth() {
    let shop = Shop::open().await;
    for (when, end, events) in [
        ("after", State::Refunded, ["PaymentRefunded"]),
        ("before", State::Cancelled, ["PaymentCancelled"]),
    ] {
        let (order, key) = shop.authorized("approve", json!([{"on": "confirm", "kind": "reset", "when": when}, {"on": "inquire", "kind": "server_error", "when": "before", "count": 2}])).await;
        let answer = shop.confirm(&order, &key).await.unwrap();
        assert_eq!(answer.state, State::Unknown, "{when}");
        shop.cancel(&order).await.unwrap();
        shop.until_state(&order, end).await;
        assert_eq!(
            shop.events(&order).await,
            events,
            "{when}: it was never announced as paid"
        );
        shop.check_books(&order).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_the_charge_runs_returns_its_money() {
    let shop = Shop::open().await;
    let (order, key) = shop
        .authorized(
            "approve",
            json!([{"on": "confirm", "kind": "latency", "when": "before", "millis": 300}]),
        )
        .await;
    let charge = shop.confirm(&order, &key);
    let cancel = async {
        until("the charge is on its way", async || {
            shop.payment(&order).await.state == State::Processing
        })
        .await;
        shop.cancel(&order).await.unwrap();
    };
    let (charged, ()) = tokio::join!(charge, cancel);
    charged.unwrap();
    shop.until_state(&order, State::Refunded).await;
    assert_eq!(shop.events(&order).await, ["PaymentRefunded"]);
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_after_the_end_is_found_and_refunded_once() {
    let shop = Shop::open().await;
    let faults = json!([{"on": "confirm", "kind": "reset", "when": "before"}]);
    let (order, key) = shop.authorized("approve", faults).await;
    shop.confirm(&order, &key).await.unwrap();
    shop.cancel(&order).await.unwrap();
    shop.until_state(&order, State::Cancelled).await;
    assert_eq!(shop.events(&order).await, ["PaymentCancelled"]);

    // A copy of the request that was stuck somewhere arrives now.
    let stuck = Charge {
        order_id: order.payment_id,
        payment_key: key,
        amount: order.amount,
        idempotency_key: mesh::id::new(),
    };
    let toss = shop.gateway.toss(Duration::from_secs(2));
    assert!(matches!(
        toss.confirm(stuck).await,
        Ok(Outcome::Approved { .. })
    ));
    let look = "UPDATE payment SET next_check_time = now()";
    for _ in 0..2 {
        let before = shop.payment(&order).await.version;
        shop.sql(look).await.unwrap();
        until("it was looked at", async || {
            let payment = shop.payment(&order).await;
            payment.version > before && payment.refunded_amount == AMOUNT
        })
        .await;
    }
    assert_eq!(shop.payment(&order).await.state, State::Cancelled);
    let events = shop.events(&order).await;
    assert_eq!(events[..2], ["PaymentCancelled", "LateCaptureFound"]);
    assert!(
        !events.contains(&"PaymentCaptured".to_owned()),
        "{events:?}"
    );
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, AMOUNT, 1, 1]
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_booking_cannot_cancel_it() {
    let shop = Shop::open().await;
    let order = shop.captured().await;
    let other = NewPayment {
        booking_id: stranger(),
        ..order.clone()
    };
    assert!(matches!(
        shop.cancel(&other).await,
        Err(TxError::Refused(Refusal::NotFound))
    ));
    assert_eq!(shop.payment(&order).await.state, State::Captured);
}
