//! Times when nobody listens: connections are refused, nothing is forgotten, the same port answers again.

use serde_json::json;

use crate::harness::Sim;

#[tokio::test]
async fn an_outage_refuses_connections_and_forgets_nothing() {
    let sim = Sim::start().await;
    let key = sim.authorize("o", "approve", json!([])).await;
    assert_eq!(
        sim.post("/sim/outage", json!({"millis": 60_001}))
            .await
            .code(),
        (400, "INVALID_FAULT")
    );
    assert_eq!(
        sim.post("/sim/outage", json!({"millis": 300})).await.status,
        202
    );
    let mut refused = 0;
    let confirmed = loop {
        match sim.send(sim.confirm("o", &key, "k")).await {
            Ok(answer) if refused > 0 => break answer,
            Ok(_) => {}
            Err(error) => refused += usize::from(error.is_connect()),
        }
    };
    assert_eq!(confirmed.payment(), (200, "DONE"));
    assert_eq!(sim.truth("o").await, [15_000, 0, 1, 0]);
}

#[tokio::test]
async fn a_stopped_simulator_refuses() {
    let sim = Sim::start().await;
    let url = format!("{}/livez", sim.running.url());
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);
    sim.running.stop().await;
    assert!(reqwest::get(&url).await.unwrap_err().is_connect());
}
