//! The oracle's lists and sums.

use serde_json::json;

use crate::harness::Sim;

#[tokio::test]
async fn all_orders_come_in_pages_with_sums_by_currency() {
    let sim = Sim::start().await;
    for order in ["a", "b", "c"] {
        let key = sim.authorize(order, "approve", json!([])).await;
        sim.send(sim.confirm(order, &key, "")).await.unwrap();
        sim.send(sim.cancel(&key, Some(1_000), "")).await.unwrap();
    }
    let body = json!({"amount": 700, "outcome": "approve", "currency": "EUR"});
    sim.post("/sim/orders/d/authorize", body).await;

    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = sim
            .get(&format!("/oracle/orders?limit=2&after={after}"))
            .await
            .body;
        assert_eq!(
            page["totals"]["KRW"],
            json!({"captured": 45_000, "refunded": 3_000, "captures": 3, "refunds": 3})
        );
        assert_eq!(page["totals"]["EUR"]["captured"], 0);
        seen.extend(
            page["orders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|order| order["orderId"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn effects_are_told_in_their_order() {
    let sim = Sim::start().await;
    let declined = sim.authorize("o", "decline_retry", json!([])).await;
    sim.send(sim.confirm("o", &declined, "")).await.unwrap();
    let key = sim.authorize("o", "approve", json!([])).await;
    sim.send(sim.confirm("o", &key, "")).await.unwrap();
    sim.send(sim.cancel(&key, Some(600), "")).await.unwrap();
    let effects = sim.oracle("o").await["effects"].clone();
    let told: Vec<_> = effects
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| {
            (
                effect["kind"].as_str().unwrap(),
                effect["amount"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("declined", 15_000),
            ("captured", 15_000),
            ("refunded", 600)
        ]
    );
}
