//! Confirming: money is taken once, silence is inquired, and the books agree with the gateway.

use std::time::Duration;

use mesh::pg::TxError;
use payment_svc::app::Refusal;
use payment_svc::app::read::Viewer;
use payment_svc::domain::{AttemptState, Method, NewPayment, Rejection, State};
use serde_json::json;

use crate::shop::{AMOUNT, ANSWER, Shop, hash, stranger, until, won};

fn refusal<T: std::fmt::Debug>(outcome: Result<T, TxError<Refusal>>) -> Refusal {
    match outcome {
        Err(TxError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_captured_once_and_a_replay_tells_the_same() {
    let shop = Shop::open().await;
    let (order, key) = shop.authorized("approve", json!([])).await;
    let confirmation = shop.confirmation(&order, &key);
    let payment = shop
        .app
        .confirm(confirmation.clone(), ANSWER)
        .await
        .unwrap();
    assert_eq!(
        (payment.state, payment.captured_amount),
        (State::Captured, AMOUNT)
    );
    assert_eq!(
        shop.app
            .confirm(confirmation.clone(), ANSWER)
            .await
            .unwrap()
            .state,
        State::Captured,
        "the same request"
    );
    assert_eq!(
        shop.confirm(&order, &key).await.unwrap().state,
        State::Captured,
        "another request with the same key"
    );
    assert_eq!(
        refusal(shop.confirm(&order, "another key").await),
        Refusal::Rejected(Rejection::AlreadyCaptured)
    );
    let reused = payment_svc::app::confirm::Confirm {
        hash: hash("other body"),
        ..confirmation
    };
    assert_eq!(
        refusal(shop.app.confirm(reused, ANSWER).await),
        Refusal::RequestIdReused
    );
    assert_eq!(shop.events(&order).await, ["PaymentCaptured"]);
    assert_eq!(
        shop.gateway.oracle(order.payment_id).await["calls"]["confirm"],
        1
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_confirmations_at_once_send_one_charge() {
    let shop = Shop::open().await;
    let (order, key) = shop
        .authorized(
            "approve",
            json!([{"on": "confirm", "kind": "latency", "when": "before", "millis": 200}]),
        )
        .await;
    let confirm = || shop.confirm(&order, &key);
    let (a, b, c, d) = tokio::join!(confirm(), confirm(), confirm(), confirm());
    for answer in [a, b, c, d] {
        assert!(matches!(
            answer.unwrap().state,
            State::Captured | State::Processing
        ));
    }
    shop.until_state(&order, State::Captured).await;
    assert_eq!(
        shop.gateway.oracle(order.payment_id).await["calls"]["confirm"],
        1
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn free_is_captured_without_a_provider() {
    let shop = Shop::open().await;
    let order = NewPayment {
        method: Method::Free,
        provider: None,
        amount: won(0),
        expire_time: None,
        ..shop.order(1)
    };
    assert_eq!(
        shop.app
            .create(order.clone(), hash("create"))
            .await
            .unwrap()
            .state,
        State::Captured
    );
    assert_eq!(shop.events(&order).await, ["PaymentCaptured"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_belongs_to_one_request_and_a_key_to_one_payment() {
    let shop = Shop::open().await;
    let (order, key) = shop.authorized("approve", json!([])).await;
    assert_eq!(
        shop.app
            .create(order.clone(), hash("create"))
            .await
            .unwrap()
            .payment_id,
        order.payment_id
    );
    assert_eq!(
        refusal(shop.app.create(order.clone(), hash("other")).await),
        Refusal::RequestIdReused
    );
    let second = NewPayment {
        payment_id: stranger(),
        ..order.clone()
    };
    assert_eq!(
        refusal(shop.app.create(second, hash("create")).await),
        Refusal::LiveBooking
    );
    let elsewhere = NewPayment {
        provider: Some("stripe".to_owned()),
        ..shop.order(600)
    };
    assert_eq!(
        refusal(shop.app.create(elsewhere, hash("create")).await),
        Refusal::UnknownProvider
    );
    shop.confirm(&order, &key).await.unwrap();
    let (other, _) = shop.authorized("approve", json!([])).await;
    assert_eq!(refusal(shop.confirm(&other, &key).await), Refusal::KeyUsed);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_payment_is_not_there() {
    let shop = Shop::open().await;
    let (order, key) = shop.authorized("approve", json!([])).await;
    let thief = payment_svc::app::confirm::Confirm {
        account_id: stranger(),
        ..shop.confirmation(&order, &key)
    };
    assert_eq!(
        refusal(shop.app.confirm(thief, ANSWER).await),
        Refusal::NotFound
    );
    assert_eq!(
        refusal(
            shop.app
                .get(order.payment_id, Viewer::Account(stranger()))
                .await
        ),
        Refusal::NotFound
    );
    assert!(
        shop.app
            .get(order.payment_id, Viewer::Account(order.account_id))
            .await
            .is_ok()
    );
    assert_eq!(shop.gateway.truth(order.payment_id).await, [0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_buyer_may_use_another_card_and_a_final_decline_ends_it() {
    let shop = Shop::open().await;
    let (order, declined) = shop.authorized("decline_retry", json!([])).await;
    let payment = shop.confirm(&order, &declined).await.unwrap();
    let decline = payment.attempt.unwrap().decline.unwrap();
    assert_eq!(
        (payment.state, decline.code(), decline.customer_may_retry()),
        (State::AwaitingCustomer, "REJECT_CARD_PAYMENT", true)
    );
    let good = shop
        .gateway
        .authorize(order.payment_id, AMOUNT, "approve", json!([]))
        .await;
    assert_eq!(
        shop.confirm(&order, &good).await.unwrap().state,
        State::Captured
    );
    assert_eq!(
        shop.events(&order).await,
        ["PaymentDeclined", "PaymentCaptured"]
    );
    shop.check_books(&order).await;

    let (order, declined) = shop.authorized("decline_final", json!([])).await;
    assert_eq!(
        shop.confirm(&order, &declined).await.unwrap().state,
        State::Declined
    );
    assert_eq!(
        refusal(shop.confirm(&order, "another").await),
        Refusal::Rejected(Rejection::Declined)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_answer_ends_where_the_gateway_says() {
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
        for (when, end) in [
            ("before", State::AwaitingCustomer),
            ("after", State::Captured),
        ] {
            let (order, key) = shop
                .authorized(
                    "approve",
                    json!([{"on": "confirm", "kind": kind, "when": when}]),
                )
                .await;
            let answer = shop.confirm(&order, &key).await.unwrap();
            assert!(
                matches!(
                    answer.state,
                    State::Unknown | State::Captured | State::AwaitingCustomer
                ),
                "{kind} {when}: {answer:?}"
            );
            let payment = shop.until_state(&order, end).await;
            assert_eq!(
                shop.gateway.oracle(order.payment_id).await["faults"][0]["fired"],
                1,
                "{kind} {when}"
            );
            assert_eq!(
                shop.events(&order).await.len(),
                usize::from(when == "after"),
                "{kind} {when}"
            );
            shop.check_books(&order).await;
            if when == "before" {
                assert_eq!(
                    payment.attempt.unwrap().state,
                    AttemptState::Absent,
                    "proven, not guessed"
                );
                assert_eq!(
                    shop.confirm(&order, &key).await.unwrap().state,
                    State::Captured,
                    "and it may be tried again"
                );
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_that_misses_or_lags_does_not_end_a_payment() {
    let shop = Shop::open().await;
    for fault in ["absent", "stale"] {
        let faults = json!([{"on": "confirm", "kind": "reset", "when": "after"}, {"on": "inquire", "kind": fault, "count": 2}]);
        let (order, key) = shop.authorized("approve", faults).await;
        shop.confirm(&order, &key).await.unwrap();
        shop.until_state(&order, State::Captured).await;
        assert_eq!(shop.events(&order).await, ["PaymentCaptured"], "{fault}");
        shop.check_books(&order).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_outcome_is_answered_as_it_is_and_follows_as_an_event() {
    let shop = Shop::open().await;
    let (order, key) = shop
        .authorized(
            "approve",
            json!([{"on": "confirm", "kind": "latency", "when": "before", "millis": 500}]),
        )
        .await;
    let answer = shop
        .app
        .confirm(shop.confirmation(&order, &key), Duration::from_millis(100))
        .await
        .unwrap();
    assert_eq!(answer.state, State::Processing);
    assert!(shop.events(&order).await.is_empty());
    shop.until_state(&order, State::Captured).await;
    assert_eq!(shop.events(&order).await, ["PaymentCaptured"]);
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_is_stored_as_it_is_and_refunded_whole() {
    let shop = Shop::open().await;
    let (order, key) = shop
        .authorized(
            "approve",
            json!([{"on": "confirm", "kind": "wrong_amount", "amount": 14_000}]),
        )
        .await;
    let payment = shop.confirm(&order, &key).await.unwrap();
    assert_eq!(payment.captured_amount, 14_000);
    shop.until_state(&order, State::Refunded).await;
    assert_eq!(
        shop.events(&order).await,
        ["PaymentRefunded"],
        "nobody was told that it is paid"
    );
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [14_000, 14_000, 1, 1]
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_refuses_connections_costs_nothing_and_the_same_key_works_later() {
    let shop = Shop::open().await;
    let (order, key) = shop.authorized("approve", json!([])).await;
    shop.gateway.outage(Duration::from_secs(8)).await;
    let same = shop.confirmation(&order, &key);
    for _ in 0..2 {
        assert_eq!(
            refusal(shop.app.confirm(same.clone(), ANSWER).await),
            Refusal::ProviderDown,
            "a repetition is decided anew, and told the same while it is so"
        );
        assert_eq!(shop.payment(&order).await.state, State::AwaitingCustomer);
    }
    until("the gateway is back", async || {
        shop.app.confirm(same.clone(), ANSWER).await.is_ok()
    })
    .await;
    shop.until_state(&order, State::Captured).await;
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_waiting_payment_expires() {
    let shop = Shop::open().await;
    let order = shop.order(0);
    shop.app
        .create(order.clone(), hash("create"))
        .await
        .unwrap();
    shop.until_state(&order, State::Expired).await;
    assert_eq!(shop.events(&order).await, ["PaymentExpired"]);
    assert_eq!(
        refusal(shop.confirm(&order, "key").await),
        Refusal::Rejected(Rejection::Expired)
    );

    // Negative control: one whose outcome is awaited passes its deadline and is captured all the same.
    let order = shop.order(2);
    shop.app
        .create(order.clone(), hash("create"))
        .await
        .unwrap();
    let slow = json!([{"on": "confirm", "kind": "latency", "when": "after", "millis": 3_000}]);
    let key = shop
        .gateway
        .authorize(order.payment_id, AMOUNT, "approve", slow)
        .await;
    shop.confirm(&order, &key).await.unwrap();
    shop.until_state(&order, State::Captured).await;
    assert_eq!(shop.events(&order).await, ["PaymentCaptured"]);
}
