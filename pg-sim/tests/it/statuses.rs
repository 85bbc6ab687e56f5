//! Every status word and every error code, each reached the way a shop reaches it.

use reqwest::Method;
use serde_json::json;

use crate::harness::Sim;

#[tokio::test]
async fn an_approved_payment_is_confirmed_and_cancelled_in_parts() {
    let sim = Sim::start().await;
    assert_eq!(
        sim.get("/v1/payments/orders/o").await.code(),
        (404, "NOT_FOUND_PAYMENT")
    );
    let key = sim.authorize("o", "approve", json!([])).await;
    assert_eq!(
        sim.get("/v1/payments/orders/o").await.payment(),
        (200, "IN_PROGRESS")
    );

    let confirmed = sim.send(sim.confirm("o", &key, "")).await.unwrap();
    assert_eq!(confirmed.payment(), (200, "DONE"));
    for (field, value) in [
        ("paymentKey", json!(key)),
        ("orderId", json!("o")),
        ("orderName", json!("two seats")),
        ("currency", json!("KRW")),
        ("method", json!("카드")),
    ] {
        assert_eq!(confirmed.body[field], value, "{field}");
    }
    assert_eq!(
        (
            &confirmed.body["totalAmount"],
            &confirmed.body["balanceAmount"]
        ),
        (&json!(15_000), &json!(15_000))
    );
    assert!(
        confirmed.body["approvedAt"]
            .as_str()
            .unwrap()
            .ends_with("+09:00"),
        "{confirmed:?}"
    );
    assert!(confirmed.body["cancels"].is_null());

    let part = sim.send(sim.cancel(&key, Some(4_000), "")).await.unwrap();
    assert_eq!(part.payment(), (200, "PARTIAL_CANCELED"));
    assert_eq!(
        (
            &part.body["balanceAmount"],
            &part.body["cancels"][0]["cancelAmount"]
        ),
        (&json!(11_000), &json!(4_000))
    );
    assert_eq!(
        sim.send(sim.cancel(&key, Some(11_001), ""))
            .await
            .unwrap()
            .code(),
        (403, "NOT_CANCELABLE_AMOUNT")
    );
    let rest = sim.send(sim.cancel(&key, None, "")).await.unwrap();
    assert_eq!(rest.payment(), (200, "CANCELED"));
    assert_eq!(
        sim.send(sim.cancel(&key, None, "")).await.unwrap().code(),
        (400, "ALREADY_CANCELED_PAYMENT")
    );
    assert_eq!(
        sim.get(&format!("/v1/payments/{key}")).await.body,
        rest.body
    );
    assert_eq!(sim.truth("o").await, [15_000, 15_000, 1, 2]);
}

#[tokio::test]
async fn each_decline_has_its_code_and_takes_no_money() {
    let sim = Sim::start().await;
    let declines = [
        ("decline_retry", (403, "REJECT_CARD_PAYMENT"), "ABORTED"),
        ("decline_final", (403, "FDS_ERROR"), "ABORTED"),
        ("decline_unlisted", (400, "UNLISTED_DECLINE"), "ABORTED"),
        ("expire", (404, "NOT_FOUND_PAYMENT_SESSION"), "EXPIRED"),
    ];
    for (outcome, refusal, status) in declines {
        let key = sim.authorize(outcome, outcome, json!([])).await;
        assert_eq!(
            sim.send(sim.confirm(outcome, &key, ""))
                .await
                .unwrap()
                .code(),
            refusal
        );
        let shown = sim.send(sim.inquire(outcome)).await.unwrap();
        assert_eq!(shown.payment(), (200, status));
        assert_eq!(shown.body["failure"]["code"], refusal.1);
        assert_eq!(
            sim.send(sim.cancel(&key, None, "")).await.unwrap().code(),
            (403, "NOT_CANCELABLE_PAYMENT")
        );
        assert_eq!(sim.truth(outcome).await, [0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn an_order_is_paid_once_but_may_be_declined_before() {
    let sim = Sim::start().await;
    let first = sim.authorize("o", "decline_retry", json!([])).await;
    let second = sim.authorize("o", "approve", json!([])).await;
    let third = sim.authorize("o", "approve", json!([])).await;
    assert_eq!(
        sim.send(sim.confirm("o", &first, "")).await.unwrap().status,
        403
    );
    assert_eq!(
        sim.send(sim.confirm("o", &second, ""))
            .await
            .unwrap()
            .payment(),
        (200, "DONE")
    );
    assert_eq!(
        sim.send(sim.confirm("o", &second, ""))
            .await
            .unwrap()
            .code(),
        (400, "ALREADY_PROCESSED_PAYMENT")
    );
    assert_eq!(
        sim.send(sim.confirm("o", &third, "")).await.unwrap().code(),
        (400, "DUPLICATED_ORDER_ID")
    );
    assert_eq!(
        sim.send(sim.inquire("o")).await.unwrap().body["paymentKey"],
        json!(second)
    );
    assert_eq!(sim.truth("o").await, [15_000, 0, 1, 0]);
}

#[tokio::test]
async fn what_contradicts_the_payment_is_refused_without_effect() {
    let sim = Sim::start().await;
    let key = sim.authorize("o", "approve", json!([])).await;
    sim.authorize("other", "approve", json!([])).await;
    let confirm = async |body| sim.post("/v1/payments/confirm", body).await;
    let wrong = [
        (
            json!({"paymentKey": "none", "orderId": "o", "amount": 15_000}),
            (404, "NOT_FOUND_PAYMENT"),
        ),
        (
            json!({"paymentKey": key, "orderId": "other", "amount": 15_000}),
            (400, "INVALID_REQUEST"),
        ),
        (
            json!({"paymentKey": key, "orderId": "o", "amount": 14_999}),
            (400, "INVALID_REQUEST"),
        ),
        (
            json!({"paymentKey": key, "orderId": "o", "amount": 0}),
            (400, "INVALID_REQUEST"),
        ),
        (
            json!({"paymentKey": key, "orderId": "o", "amount": 10_000_000_001_i64}),
            (400, "EXCEED_MAX_AMOUNT"),
        ),
        (
            json!({"paymentKey": key, "orderId": "o"}),
            (400, "INVALID_REQUEST"),
        ),
    ];
    for (body, refusal) in wrong {
        assert_eq!(confirm(body.clone()).await.code(), refusal, "{body}");
    }
    assert_eq!(
        sim.send(sim.cancel("none", None, "")).await.unwrap().code(),
        (404, "NOT_FOUND_PAYMENT")
    );
    let no_reason = sim
        .post(
            &format!("/v1/payments/{key}/cancel"),
            json!({"cancelReason": ""}),
        )
        .await;
    assert_eq!(no_reason.code(), (400, "INVALID_REQUEST"));
    assert_eq!(sim.get("/v2/anything").await.code(), (404, "NOT_FOUND"));
    assert_eq!(sim.truth("o").await, [0, 0, 0, 0]);
}

#[tokio::test]
async fn only_the_secret_opens_the_gateway() {
    let sim = Sim::start().await;
    let url = format!("{}/v1/payments/orders/o", sim.running.url());
    let get = |authorization: Option<&str>| {
        let request = reqwest::Client::new().request(Method::GET, &url);
        authorization.iter().fold(request, |request, value| {
            request.header("authorization", *value)
        })
    };
    let code = async |request| sim.send(request).await.unwrap();
    assert_eq!(code(get(None)).await.code(), (401, "UNAUTHORIZED_KEY"));
    assert_eq!(
        code(get(Some("Bearer x"))).await.code(),
        (403, "INCORRECT_BASIC_AUTH_FORMAT")
    );
    assert_eq!(
        code(get(None).basic_auth("another", Some(""))).await.code(),
        (401, "UNAUTHORIZED_KEY")
    );
    assert_eq!(
        code(get(None).basic_auth(crate::harness::SECRET, Some("x")))
            .await
            .code(),
        (403, "INCORRECT_BASIC_AUTH_FORMAT")
    );
    assert_eq!(
        code(get(None).basic_auth(crate::harness::SECRET, Some("")))
            .await
            .code(),
        (404, "NOT_FOUND_PAYMENT")
    );
}

#[tokio::test]
async fn the_robot_refuses_what_cannot_be() {
    let sim = Sim::start().await;
    let authorize = async |body| sim.post("/sim/orders/o/authorize", body).await;
    assert_eq!(
        authorize(json!({"amount": 0, "outcome": "approve"}))
            .await
            .code(),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(
        authorize(json!({"amount": 1, "outcome": "perhaps"}))
            .await
            .status,
        422
    );
    for fault in [
        json!({"on": "confirm", "kind": "reset"}),
        json!({"on": "confirm", "kind": "latency", "when": "before"}),
        json!({"on": "confirm", "kind": "refuse_cancel"}),
        json!({"on": "confirm", "kind": "wrong_amount"}),
        json!({"on": "confirm", "kind": "reset", "when": "after", "count": 0}),
        json!({"on": "confirm", "kind": "latency", "when": "after", "millis": 3_600_001}),
    ] {
        let answer = authorize(json!({"amount": 1, "outcome": "approve", "faults": [fault]})).await;
        assert_eq!(answer.code(), (400, "INVALID_FAULT"), "{fault}");
    }
    assert_eq!(
        sim.get("/oracle/orders/o").await.code(),
        (404, "UNKNOWN_ORDER")
    );
    assert_eq!(sim.get("/livez").await.status, 200);
}
