//! Refunds that were parked: an alarm counts them, an operator sends them again, and the money goes back once.

use std::time::Duration;

use futures_util::future::join_all;
use mesh::faults::Halt;
use mesh::pg::TxError;
use payment_svc::app::{Error, Refusal};
use payment_svc::domain::{NewPayment, RefundOutcome, RefundState, Rejection, State};
use payment_svc::provider::{Provider, RefundCharge};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shop::{AMOUNT, Shop, hash, until, won};

/// What goes back.
const PART: i64 = 4_000;
/// Longer than a provider keeps idempotency keys.
const KEY_RAN_OUT: &str = "UPDATE refund SET create_time = now() - interval '15 days'";

/// A captured payment with a refund that the provider refuses `times`, parked.
async fn parked(shop: &Shop, times: u32) -> (NewPayment, Uuid) {
    let order = shop.captured().await;
    let refuse = json!([{"on": "cancel", "kind": "refuse_cancel", "count": times}]);
    shop.gateway.arm(order.payment_id, refuse).await;
    let (refund, _) = shop.refund(&order, Some(PART)).await.unwrap();
    parks(shop, refund.refund_id, 0).await;
    (order, refund.refund_id)
}

/// Waits until the refund is parked after so many retries.
async fn parks(shop: &Shop, refund_id: Uuid, retries: i32) {
    let sql = format!(
        "SELECT count(*) AS n FROM refund WHERE refund_id = '{refund_id}' AND state = 'PARKED' AND retries = {retries}"
    );
    until("it parks", async || shop.number(&sql).await == 1).await;
}

async fn cancels(shop: &Shop, order: &NewPayment) -> Value {
    shop.gateway.oracle(order.payment_id).await["calls"]["cancel"].clone()
}

fn not_parked<T>(answer: &Result<T, Error>) -> bool {
    let rejected = Refusal::Rejected(Rejection::RefundNotParked);
    matches!(answer, Err(TxError::Refused(refusal)) if *refusal == rejected)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_refund_rings_and_a_retry_returns_the_money_once() {
    let shop = Shop::open().await;
    assert_eq!(shop.app.parked_refunds().await.unwrap(), (None, 0));
    let (order, refund_id) = parked(&shop, 1).await;
    assert_eq!(
        shop.app.parked_refunds().await.unwrap(),
        (Some(refund_id), 1)
    );
    let again = shop.refund(&order, Some(AMOUNT - PART + 1)).await;
    assert!(again.is_err(), "a parked refund is asked for: {again:?}");

    let asked = shop.asked_retry(refund_id);
    let (refund, payment) = shop.app.retry_refund(asked.clone()).await.unwrap();
    assert_eq!((refund.state, refund.retries), (RefundState::Pending, 1));
    assert_eq!(payment.refund_amount, PART);
    let replay = shop.app.retry_refund(asked.clone()).await.unwrap();
    assert_eq!(replay.0.retries, 1, "the same request is one retry");
    let other = payment_svc::app::retry_refund::AskedRetry {
        hash: hash("other"),
        ..asked.clone()
    };
    let reused = shop.app.retry_refund(other).await;
    assert!(matches!(
        reused,
        Err(TxError::Refused(Refusal::RequestIdReused))
    ));
    let second = shop.app.retry_refund(shop.asked_retry(refund_id)).await;
    assert!(not_parked(&second), "{second:?}");

    shop.until_state(&order, State::PartiallyRefunded).await;
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, PART, 1, 1]
    );
    assert_eq!(cancels(&shop, &order).await, 2, "refused, and done");
    assert_eq!(shop.app.parked_refunds().await.unwrap(), (None, 0));
    let third = shop.app.retry_refund(shop.asked_retry(refund_id)).await;
    assert!(not_parked(&third), "{third:?}");
    let late = shop.app.retry_refund(asked).await.unwrap();
    assert_eq!(late.0.state, RefundState::Done, "a replay tells how it is");
    assert_eq!(
        shop.events(&order).await,
        ["PaymentCaptured", "RefundParked", "PaymentRefunded"]
    );
    let audited =
        "SELECT count(*) AS n FROM audit_log WHERE reason = 'the shop''s balance is filled'";
    assert_eq!(shop.number(audited).await, 1);
    let told = "SELECT count(*) AS n FROM payment_event WHERE detail LIKE 'refund % is tried again, retry 1'";
    assert_eq!(shop.number(told).await, 1);
    shop.check_books(&order).await;
}

/// Why a retry has a new key: the provider keeps its answer to the old one.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_refused_refund_is_refused_for_ever() {
    let shop = Shop::open().await;
    let (order, refund_id) = parked(&shop, 1).await;
    let by_hand = |idempotency_key| RefundCharge {
        payment_key: String::new(),
        refund_id,
        amount: won(PART),
        idempotency_key,
    };
    let toss = shop.gateway.toss(Duration::from_secs(2));
    let payment_key = shop.payment(&order).await.payment_key.unwrap();
    let old = RefundCharge {
        payment_key: payment_key.clone(),
        ..by_hand(mesh::id::derive(refund_id, "refund"))
    };
    assert!(matches!(
        toss.refund(old).await,
        Ok(RefundOutcome::Refused(_))
    ));
    // And what a person returns by hand under the refund's id is found, and not returned again.
    let new = RefundCharge {
        payment_key,
        ..by_hand(mesh::id::new())
    };
    assert_eq!(toss.refund(new).await, Ok(RefundOutcome::Done));
    shop.app
        .retry_refund(shop.asked_retry(refund_id))
        .await
        .unwrap();
    shop.until_state(&order, State::PartiallyRefunded).await;
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, PART, 1, 1]
    );
    assert_eq!(
        cancels(&shop, &order).await,
        3,
        "refused, asked for again by hand, done by hand"
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_refused_parks_again() {
    let shop = Shop::open().await;
    let (order, refund_id) = parked(&shop, 2).await;
    for retries in 1..=2 {
        shop.app
            .retry_refund(shop.asked_retry(refund_id))
            .await
            .unwrap();
        if retries == 1 {
            parks(&shop, refund_id, retries).await;
        }
    }
    shop.until_state(&order, State::PartiallyRefunded).await;
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, PART, 1, 1]
    );
    assert_eq!(
        shop.events(&order).await,
        [
            "PaymentCaptured",
            "RefundParked",
            "RefundParked",
            "PaymentRefunded"
        ]
    );
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_retries_at_two_instances_counts() {
    let shop = Shop::open().await;
    let second = shop.second_instance().await;
    let (order, refund_id) = parked(&shop, 1).await;
    let apps = [&shop.app, &second];
    let calls = (0..12).map(|n| apps[n % 2].retry_refund(shop.asked_retry(refund_id)));
    let answers = join_all(calls).await;
    let counted = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers.iter().filter(|answer| not_parked(answer)).count();
    assert_eq!((counted, refused), (1, 11), "{answers:?}");
    shop.until_state(&order, State::PartiallyRefunded).await;
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, PART, 1, 1]
    );
    assert_eq!(cancels(&shop, &order).await, 2);
    shop.check_books(&order).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_or_under_way_is_not_retried() {
    let shop = Shop::open().await;
    let unknown = shop
        .app
        .retry_refund(shop.asked_retry(mesh::id::new()))
        .await;
    assert!(matches!(
        unknown,
        Err(TxError::Refused(Refusal::RefundNotFound))
    ));
    let order = shop.captured().await;
    let (refund, _) = shop.refund(&order, Some(PART)).await.unwrap();
    for _ in 0..2 {
        let refused = shop
            .app
            .retry_refund(shop.asked_retry(refund.refund_id))
            .await;
        assert!(not_parked(&refused), "{refused:?}");
        shop.until_state(&order, State::PartiallyRefunded).await;
    }
    assert_eq!(cancels(&shop, &order).await, 1);
    shop.check_books(&order).await;
}

/// A refund whose answer is lost, before or after the money went back, and whose key ran out while the provider's record was old.
async fn forgotten(when: &str) -> (Shop, NewPayment) {
    let halt = Halt::default();
    let shop = Shop::open_with(halt.at("refund/answer")).await;
    let order = shop.captured().await;
    let faults = json!([
        {"on": "cancel", "kind": "reset", "when": when},
        {"on": "inquire", "kind": "stale"},
    ]);
    // An old copy of what is as it was before the refund would not show the capture either.
    let faults = match when {
        "after" => faults,
        _ => json!([faults[0]]),
    };
    shop.gateway.arm(order.payment_id, faults).await;
    let (refund, _) = shop.refund(&order, Some(PART)).await.unwrap();
    halt.reached().await;
    shop.sql(KEY_RAN_OUT).await.unwrap();
    halt.go();
    parks(&shop, refund.refund_id, 0).await;
    shop.app
        .retry_refund(shop.asked_retry(refund.refund_id))
        .await
        .unwrap();
    shop.until_state(&order, State::PartiallyRefunded).await;
    (shop, order)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_unknown_outcome_is_looked_for_before_it_has_a_new_key() {
    for (when, sent) in [("after", 1), ("before", 2)] {
        let (shop, order) = forgotten(when).await;
        assert_eq!(
            shop.gateway.truth(order.payment_id).await,
            [AMOUNT, PART, 1, 1],
            "{when}"
        );
        assert_eq!(cancels(&shop, &order).await, sent, "{when}");
        shop.check_books(&order).await;
    }
}
