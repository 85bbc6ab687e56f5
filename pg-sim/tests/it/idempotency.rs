//! A key answers its first answer, whatever the body; while the first runs, the second is told so.

use reqwest::Method;
use serde_json::json;

use crate::harness::Sim;

#[tokio::test]
async fn a_repeated_confirm_gets_the_first_answer_and_no_second_effect() {
    let sim = Sim::start().await;
    let key = sim.authorize("o", "approve", json!([])).await;
    let first = sim.send(sim.confirm("o", &key, "k1")).await.unwrap();
    assert_eq!(sim.send(sim.confirm("o", &key, "k1")).await.unwrap(), first);
    assert_eq!(
        sim.send(sim.confirm("o", &key, "k2")).await.unwrap().code(),
        (400, "ALREADY_PROCESSED_PAYMENT")
    );
    assert_eq!(sim.truth("o").await, [15_000, 0, 1, 0]);
}

#[tokio::test]
async fn the_body_is_not_in_the_scope_of_a_key() {
    let sim = Sim::start().await;
    let (one, two) = (
        sim.authorize("one", "approve", json!([])).await,
        sim.authorize("two", "approve", json!([])).await,
    );
    let first = sim.send(sim.confirm("one", &one, "shared")).await.unwrap();
    let second = sim.send(sim.confirm("two", &two, "shared")).await.unwrap();
    assert_eq!(
        second, first,
        "as at Toss, the second order gets the first order's answer"
    );
    assert_eq!(sim.truth("two").await, [0, 0, 0, 0]);
    let cancelled = sim.send(sim.cancel(&one, None, "shared")).await.unwrap();
    assert_eq!(
        cancelled.payment(),
        (200, "CANCELED"),
        "another URL is another scope"
    );
}

#[tokio::test]
async fn a_refusal_is_kept_too() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "cancel", "kind": "refuse_cancel"}]),
        )
        .await;
    sim.send(sim.confirm("o", &key, "")).await.unwrap();
    assert_eq!(
        sim.send(sim.cancel(&key, None, "r1")).await.unwrap().code(),
        (403, "NOT_CANCELABLE_PAYMENT")
    );
    assert_eq!(
        sim.send(sim.cancel(&key, None, "r1")).await.unwrap().code(),
        (403, "NOT_CANCELABLE_PAYMENT")
    );
    assert_eq!(
        sim.send(sim.cancel(&key, None, "r2"))
            .await
            .unwrap()
            .payment(),
        (200, "CANCELED")
    );
    assert_eq!(sim.truth("o").await, [15_000, 15_000, 1, 1]);
}

#[tokio::test]
async fn without_a_key_every_request_counts() {
    let sim = Sim::start().await;
    let key = sim.authorize("o", "approve", json!([])).await;
    sim.send(sim.confirm("o", &key, "")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            sim.send(sim.cancel(&key, Some(1_000), ""))
                .await
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(sim.truth("o").await, [15_000, 2_000, 1, 2]);
}

#[tokio::test]
async fn while_the_first_runs_the_second_is_told_so_and_the_effect_outlives_its_caller() {
    let sim = Sim::start().await;
    let slow = json!([{"on": "confirm", "kind": "latency", "when": "before", "millis": 300}]);
    let key = sim.authorize("o", "approve", slow).await;
    let first = sim.send(sim.confirm("o", &key, "k"));
    let second = async {
        while sim.oracle("o").await["calls"]["confirm"] != 1 {
            tokio::task::yield_now().await;
        }
        sim.send(sim.confirm("o", &key, "k")).await.unwrap()
    };
    // The first caller goes away as soon as the second has its answer.
    let second = tokio::select! { second = second => second, first = first => panic!("{first:?}") };
    assert_eq!(second.code(), (409, "IDEMPOTENT_REQUEST_PROCESSING"));
    while sim.truth("o").await != [15_000, 0, 1, 0] {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        sim.send(sim.confirm("o", &key, "k"))
            .await
            .unwrap()
            .payment(),
        (200, "DONE")
    );
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused() {
    let sim = Sim::start().await;
    let key = sim.authorize("o", "approve", json!([])).await;
    for (length, status) in [(301, 400), (300, 200)] {
        let answer = sim
            .send(sim.confirm("o", &key, &"k".repeat(length)))
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let empty = sim.confirm("o", &key, "").header("Idempotency-Key", "");
    assert_eq!(
        sim.send(empty).await.unwrap().code(),
        (400, "INVALID_IDEMPOTENCY_KEY")
    );
    let get = sim
        .request(Method::GET, "/v1/payments/orders/o")
        .header("Idempotency-Key", "k".repeat(301));
    assert_eq!(
        sim.send(get).await.unwrap().status,
        200,
        "GET ignores the key"
    );
}
