//! A gateway simulator of its own for each test, its robot buyer and its oracle.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mesh::config::Secret;
use payment_svc::provider::HttpLimits;
use payment_svc::provider::toss::Toss;
use pg_sim::config::Config;
use pg_sim::{Rates, Running};
use reqwest::Client;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const SECRET: &str = "test_sk_payment_svc";

pub(crate) struct Gateway {
    pub(crate) running: Running,
    client: Client,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            addr_file: None,
            log: "off".to_owned(),
            toss_secret: Secret::new(SECRET),
            rates: Rates::default(),
        };
        Self {
            running: Running::start(&config).await.unwrap(),
            client: Client::new(),
        }
    }

    /// A client of it that waits `read` for an answer.
    pub(crate) fn toss(&self, read: Duration) -> Toss {
        let limits = HttpLimits {
            read,
            ..HttpLimits::default()
        };
        Toss::new(
            self.running.url().parse().unwrap(),
            Secret::new(SECRET),
            limits,
        )
        .unwrap()
    }

    /// A robot buyer authorises; answers the payment key.
    pub(crate) async fn authorize(
        &self,
        order_id: Uuid,
        amount: i64,
        outcome: &str,
        faults: Value,
    ) -> String {
        let body = json!({"amount": amount, "outcome": outcome, "faults": faults});
        let url = format!("{}/sim/orders/{order_id}/authorize", self.running.url());
        let answer = self
            .client
            .post(url)
            .json(&body)
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
        answer.json::<Value>().await.unwrap()["paymentKey"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn arm(&self, order_id: Uuid, faults: Value) {
        let url = format!("{}/sim/orders/{order_id}/faults", self.running.url());
        self.client
            .post(url)
            .json(&json!({"faults": faults}))
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }

    pub(crate) async fn oracle(&self, order_id: Uuid) -> Value {
        let url = format!("{}/oracle/orders/{order_id}", self.running.url());
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// captured, refunded, captures, refunds.
    pub(crate) async fn truth(&self, order_id: Uuid) -> [i64; 4] {
        let oracle = self.oracle(order_id).await;
        ["captured", "refunded", "captures", "refunds"].map(|name| oracle[name].as_i64().unwrap())
    }

    /// Nobody listens for this long: connections are refused.
    pub(crate) async fn outage(&self, time: Duration) {
        let url = format!("{}/sim/outage", self.running.url());
        let body = json!({"millis": u64::try_from(time.as_millis()).unwrap()});
        self.client
            .post(url)
            .json(&body)
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }
}
