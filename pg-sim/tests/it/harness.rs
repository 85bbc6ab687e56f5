//! A simulator of its own for each test, a shop's client, and answers as plain values.

use std::net::{Ipv4Addr, SocketAddr};

use mesh::config::Secret;
use pg_sim::config::Config;
use pg_sim::{Rates, Running};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "test_sk_of_the_shop";

pub(crate) struct Sim {
    pub(crate) running: Running,
    client: Client,
}

/// Status and JSON body.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn payment(&self) -> (u16, &str) {
        (
            self.status,
            self.body["status"].as_str().unwrap_or_default(),
        )
    }
}

pub(crate) fn config(rates: Rates) -> Config {
    Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        addr_file: None,
        log: "off".to_owned(),
        toss_secret: Secret::new(SECRET),
        rates,
    }
}

impl Sim {
    pub(crate) async fn start() -> Self {
        Self::with_rates(Rates::default()).await
    }

    pub(crate) async fn with_rates(rates: Rates) -> Self {
        let running = Running::start(&config(rates)).await.unwrap();
        Self {
            running,
            client: Client::new(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.running.url()))
            .basic_auth(SECRET, Some(""))
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
            .unwrap()
    }

    /// A robot buyer authorises 15000 won; answers the payment key.
    pub(crate) async fn authorize(&self, order_id: &str, outcome: &str, faults: Value) -> String {
        let body = json!({"amount": 15_000, "outcome": outcome, "orderName": "two seats", "faults": faults});
        let answer = self
            .post(&format!("/sim/orders/{order_id}/authorize"), body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["paymentKey"].as_str().unwrap().to_owned()
    }

    pub(crate) fn confirm(&self, order_id: &str, payment_key: &str, key: &str) -> RequestBuilder {
        let body = json!({"paymentKey": payment_key, "orderId": order_id, "amount": 15_000});
        let request = self
            .request(Method::POST, "/v1/payments/confirm")
            .json(&body);
        if key.is_empty() {
            request
        } else {
            request.header("Idempotency-Key", key)
        }
    }

    pub(crate) fn cancel(
        &self,
        payment_key: &str,
        amount: Option<i64>,
        key: &str,
    ) -> RequestBuilder {
        let mut body = json!({"cancelReason": "the show is off"});
        if let Some(amount) = amount {
            body["cancelAmount"] = json!(amount);
        }
        let request = self
            .request(Method::POST, &format!("/v1/payments/{payment_key}/cancel"))
            .json(&body);
        if key.is_empty() {
            request
        } else {
            request.header("Idempotency-Key", key)
        }
    }

    pub(crate) fn inquire(&self, order_id: &str) -> RequestBuilder {
        self.request(Method::GET, &format!("/v1/payments/orders/{order_id}"))
    }

    pub(crate) async fn oracle(&self, order_id: &str) -> Value {
        self.get(&format!("/oracle/orders/{order_id}")).await.body
    }

    /// captured, refunded, captures, refunds.
    pub(crate) async fn truth(&self, order_id: &str) -> [i64; 4] {
        let oracle = self.oracle(order_id).await;
        ["captured", "refunded", "captures", "refunds"].map(|name| oracle[name].as_i64().unwrap())
    }
}
