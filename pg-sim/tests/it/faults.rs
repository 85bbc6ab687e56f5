//! Every fault on every request: it fires exactly as often as it was told, and the oracle tells what truly happened.

use pg_sim::Rates;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::{Answer, Sim};

const BREAKS: [&str; 6] = [
    "reset",
    "close",
    "server_error",
    "provider_error",
    "in_progress",
    "garbage",
];

/// An order whose next request `on` is ready to be sent, with nothing armed.
async fn prepared(sim: &Sim, order: &str, on: &str) -> String {
    let key = sim.authorize(order, "approve", json!([])).await;
    if on != "confirm" {
        sim.send(sim.confirm(order, &key, "")).await.unwrap();
    }
    key
}

fn request(sim: &Sim, order: &str, on: &str, key: &str) -> RequestBuilder {
    match on {
        // A key of its own for each order: the body is not in a key's scope.
        "confirm" => sim.confirm(order, key, order),
        "cancel" => sim.cancel(key, None, order),
        _ => sim.inquire(order),
    }
}

async fn arm(sim: &Sim, order: &str, fault: Value) {
    let armed = sim
        .post(
            &format!("/sim/orders/{order}/faults"),
            json!({"faults": [fault]}),
        )
        .await;
    assert_eq!(armed.status, 204, "{armed:?}");
}

fn check_broken(kind: &str, outcome: Result<Answer, reqwest::Error>) {
    match (kind, outcome) {
        ("reset" | "close", Err(error)) => assert!(
            error.is_request() && !error.is_connect() && !error.is_timeout(),
            "{error:?}"
        ),
        ("server_error", Ok(answer)) => {
            assert_eq!(answer.code(), (500, "FAILED_INTERNAL_SYSTEM_PROCESSING"))
        }
        ("provider_error", Ok(answer)) => assert_eq!(answer.code(), (400, "PROVIDER_ERROR")),
        ("in_progress", Ok(answer)) => {
            assert_eq!(answer.code(), (409, "IDEMPOTENT_REQUEST_PROCESSING"))
        }
        ("garbage", Ok(answer)) => assert!(
            answer.status == 200 && answer.body.is_string(),
            "{answer:?}"
        ),
        (kind, other) => panic!("{kind}: {other:?}"),
    }
}

#[tokio::test]
async fn every_break_fires_once_before_or_after_the_effect() {
    let sim = Sim::start().await;
    let mut cells = 0;
    for on in ["confirm", "cancel", "inquire"] {
        for when in ["before", "after"] {
            for kind in BREAKS {
                let order = format!("{on}-{when}-{kind}");
                let key = prepared(&sim, &order, on).await;
                let untouched = sim.truth(&order).await;
                arm(&sim, &order, json!({"on": on, "kind": kind, "when": when})).await;

                check_broken(kind, sim.send(request(&sim, &order, on, &key)).await);
                let effect = sim.truth(&order).await != untouched;
                assert_eq!(effect, when == "after" && on != "inquire", "{order}");

                let again = sim.send(request(&sim, &order, on, &key)).await.unwrap();
                assert_eq!(again.status, 200, "{order}: the fault is over: {again:?}");
                let expected = if on == "cancel" {
                    [15_000, 15_000, 1, 1]
                } else {
                    [15_000, 0, 1, 0]
                };
                assert_eq!(sim.truth(&order).await, expected, "{order}: one effect");
                let oracle = sim.oracle(&order).await;
                assert_eq!(oracle["faults"][0]["fired"], 1, "{order}");
                assert_eq!(oracle["calls"][on], 2, "{order}");
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 36);
}

#[tokio::test]
async fn a_count_fires_that_often_and_no_more() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "confirm", "kind": "server_error", "when": "before", "count": 3}]),
        )
        .await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(sim.send(sim.confirm("o", &key, "k")).await.unwrap().status);
    }
    assert_eq!(statuses, [500, 500, 500, 200]);
    assert_eq!(sim.oracle("o").await["faults"][0]["fired"], 3);
}

#[tokio::test]
async fn a_fault_of_one_order_leaves_the_others_alone() {
    let sim = Sim::start().await;
    let broken = sim
        .authorize(
            "broken",
            "approve",
            json!([{"on": "confirm", "kind": "reset", "when": "after"}]),
        )
        .await;
    let sound = sim.authorize("sound", "approve", json!([])).await;
    assert_eq!(
        sim.send(sim.confirm("sound", &sound, ""))
            .await
            .unwrap()
            .status,
        200
    );
    assert!(sim.send(sim.confirm("broken", &broken, "")).await.is_err());
}

#[tokio::test]
async fn a_header_breaks_its_own_request_alone() {
    let sim = Sim::start().await;
    let key = sim.authorize("o", "approve", json!([])).await;
    let header = |fault: Value| {
        sim.confirm("o", &key, "k")
            .header("sim-fault", fault.to_string())
    };
    let broken = sim
        .send(header(
            json!({"on": "confirm", "kind": "reset", "when": "after"}),
        ))
        .await;
    assert!(broken.is_err());
    assert_eq!(sim.truth("o").await, [15_000, 0, 1, 0]);
    assert_eq!(
        sim.send(sim.confirm("o", &key, "k"))
            .await
            .unwrap()
            .payment(),
        (200, "DONE")
    );
    let misplaced = sim
        .send(header(
            json!({"on": "cancel", "kind": "reset", "when": "after"}),
        ))
        .await
        .unwrap();
    assert_eq!(misplaced.code(), (400, "INVALID_FAULT"));
}

#[tokio::test]
async fn a_wrong_amount_is_captured_and_told() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "confirm", "kind": "wrong_amount", "amount": 14_000}]),
        )
        .await;
    let confirmed = sim.send(sim.confirm("o", &key, "")).await.unwrap();
    assert_eq!(
        (confirmed.status, &confirmed.body["totalAmount"]),
        (200, &json!(14_000))
    );
    assert_eq!(sim.truth("o").await, [14_000, 0, 1, 0]);
}

#[tokio::test]
async fn an_inquiry_can_miss_the_payment_for_some_reads() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "inquire", "kind": "absent", "count": 2}]),
        )
        .await;
    sim.send(sim.confirm("o", &key, "")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            sim.send(sim.inquire("o")).await.unwrap().code(),
            (404, "NOT_FOUND_PAYMENT")
        );
    }
    assert_eq!(
        sim.send(sim.inquire("o")).await.unwrap().payment(),
        (200, "DONE")
    );
    assert_eq!(
        sim.truth("o").await,
        [15_000, 0, 1, 0],
        "the oracle never missed it"
    );
}

#[tokio::test]
async fn an_inquiry_can_miss_the_payment_for_some_time() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "inquire", "kind": "absent", "millis": 200}]),
        )
        .await;
    sim.send(sim.confirm("o", &key, "")).await.unwrap();
    let mut missed = 0;
    while sim.send(sim.inquire("o")).await.unwrap().status == 404 {
        missed += 1;
    }
    assert!(missed >= 1);
    assert_eq!(
        sim.oracle("o").await["faults"][0]["fired"],
        1,
        "one span is one firing"
    );
}

#[tokio::test]
async fn an_inquiry_can_be_stale() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "inquire", "kind": "stale", "count": 2}]),
        )
        .await;
    sim.send(sim.confirm("o", &key, "")).await.unwrap();
    assert_eq!(
        sim.send(sim.inquire("o")).await.unwrap().payment(),
        (200, "IN_PROGRESS")
    );
    sim.send(sim.cancel(&key, None, "")).await.unwrap();
    assert_eq!(
        sim.send(sim.inquire("o")).await.unwrap().payment(),
        (200, "DONE")
    );
    assert_eq!(
        sim.send(sim.inquire("o")).await.unwrap().payment(),
        (200, "CANCELED")
    );
}

#[tokio::test]
async fn a_late_answer_comes_after_its_effect() {
    let sim = Sim::start().await;
    let key = sim
        .authorize(
            "o",
            "approve",
            json!([{"on": "confirm", "kind": "latency", "when": "after", "millis": 3_600_000}]),
        )
        .await;
    let patient = sim.send(sim.confirm("o", &key, "k"));
    let effect = async {
        while sim.truth("o").await != [15_000, 0, 1, 0] {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { () = effect => {}, answer = patient => panic!("{answer:?}") }
    assert_eq!(
        sim.send(sim.confirm("o", &key, "k"))
            .await
            .unwrap()
            .payment(),
        (200, "DONE")
    );
}

#[tokio::test]
async fn rates_break_the_same_requests_for_the_same_seed() {
    let rates = |seed| {
        let text = r#"[[{"on":"confirm","kind":"server_error","when":"after"},500000]]"#;
        text.parse::<Rates>().unwrap().seeded(seed)
    };
    let run = async |seed| {
        let sim = Sim::with_rates(rates(seed)).await;
        let mut statuses = Vec::new();
        for number in 0..40 {
            let order = format!("o{number}");
            let key = sim.authorize(&order, "approve", json!([])).await;
            statuses.push(
                sim.send(sim.confirm(&order, &key, ""))
                    .await
                    .unwrap()
                    .status,
            );
            assert_eq!(sim.truth(&order).await, [15_000, 0, 1, 0]);
        }
        statuses
    };
    let first = run(1).await;
    assert!(first.contains(&500) && first.contains(&200), "{first:?}");
    assert_eq!(run(1).await, first);
    assert_ne!(run(2).await, first);
}
