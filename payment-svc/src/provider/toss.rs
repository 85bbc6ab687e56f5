//! Toss Payments: confirm captures at once; an idempotency key counts for a URL and not for the body, and for 15 days.

use mesh::config::Secret;
use mesh::money::Money;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::json;
use uuid::Uuid;

mod codes;
mod wire;

use super::http::{HttpLimits, HttpSetupError, Line, Silence, Whole};
use super::{Charge, Provider, RefundCharge, Work};
use crate::domain::{Finding, NotSent, Outcome, RefundOutcome};

pub use codes::KEY_HONOURED;

/// Name of this provider.
pub const NAME: &str = "toss";

/// A client of Toss Payments.
#[derive(Debug)]
pub struct Toss {
    line: Line,
    base: Url,
    secret: Secret,
}

impl Toss {
    /// A client for the API at `base`, e.g. `https://api.tosspayments.com`.
    pub fn new(base: Url, secret: Secret, limits: HttpLimits) -> Result<Self, HttpSetupError> {
        Ok(Self {
            line: Line::open(limits)?,
            base,
            secret,
        })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    fn post(&self, path: &str, key: Uuid, body: &serde_json::Value) -> RequestBuilder {
        let request = self
            .line
            .request(Method::POST, self.url(path))
            .basic_auth(self.secret.expose(), Some(""));
        request
            .header("Idempotency-Key", key.to_string())
            .json(body)
    }

    async fn confirm_now(&self, charge: Charge) -> Result<Outcome, NotSent> {
        let body = json!({"paymentKey": charge.payment_key, "orderId": charge.order_id, "amount": charge.amount.minor_units});
        match self
            .line
            .send(self.post("/v1/payments/confirm", charge.idempotency_key, &body))
            .await
        {
            Ok(whole) => Ok(confirmed(&whole, &charge)),
            Err(Silence::NotSent(not_sent)) => Err(not_sent),
            Err(Silence::Lost(why)) => Ok(Outcome::Unknown { why }),
        }
    }

    async fn inquire_now(&self, order_id: Uuid) -> Finding {
        let request = self.line.request(
            Method::GET,
            self.url(&format!("/v1/payments/orders/{order_id}")),
        );
        match self
            .line
            .send(request.basic_auth(self.secret.expose(), Some("")))
            .await
        {
            Ok(whole) => found(&whole, order_id),
            Err(Silence::NotSent(NotSent { why }) | Silence::Lost(why)) => Finding::Unknown { why },
        }
    }

    async fn refund_now(&self, refund: RefundCharge) -> Result<RefundOutcome, NotSent> {
        let body = json!({"cancelReason": wire::reason(refund.refund_id), "cancelAmount": refund.amount.minor_units});
        let mut url = self.base.clone();
        // The key came from a browser: as a path segment it cannot name another route.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .clear()
                .extend(["v1", "payments", &refund.payment_key, "cancel"]);
        }
        match self
            .line
            .send(self.post(url.path(), refund.idempotency_key, &body))
            .await
        {
            Ok(whole) => Ok(refunded(&whole, refund.refund_id, refund.amount)),
            Err(Silence::NotSent(not_sent)) => Err(not_sent),
            Err(Silence::Lost(why)) => Ok(RefundOutcome::Unknown { why }),
        }
    }
}

impl Provider for Toss {
    fn name(&self) -> &'static str {
        NAME
    }

    fn confirm(&self, charge: Charge) -> Work<'_, Result<Outcome, NotSent>> {
        Box::pin(self.confirm_now(charge))
    }

    fn inquire(&self, order_id: Uuid) -> Work<'_, Finding> {
        Box::pin(self.inquire_now(order_id))
    }

    fn refund(&self, refund: RefundCharge) -> Work<'_, Result<RefundOutcome, NotSent>> {
        Box::pin(self.refund_now(refund))
    }
}

fn confirmed(whole: &Whole, charge: &Charge) -> Outcome {
    if whole.status != StatusCode::OK {
        return codes::confirm(whole);
    }
    match wire::Payment::read(&whole.body) {
        Err(why) => Outcome::Unknown { why },
        // The body is not in a key's scope: an answer about another order is not an answer.
        Ok(payment)
            if payment.order_id != charge.order_id.to_string()
                || payment.payment_key != charge.payment_key =>
        {
            Outcome::Unknown {
                why: "the answer is about another order".to_owned(),
            }
        }
        Ok(payment) if payment.was_captured() => match payment.captured() {
            Ok(amount) => Outcome::Approved {
                payment_key: payment.payment_key,
                amount,
            },
            Err(why) => Outcome::Unknown { why },
        },
        Ok(payment) => Outcome::Unknown {
            why: format!("200 with status {}", payment.status),
        },
    }
}

fn found(whole: &Whole, order_id: Uuid) -> Finding {
    if whole.status != StatusCode::OK {
        return codes::inquire(whole);
    }
    let payment = match wire::Payment::read(&whole.body) {
        Ok(payment) if payment.order_id == order_id.to_string() => payment,
        Ok(_) => {
            return Finding::Unknown {
                why: "the answer is about another order".to_owned(),
            };
        }
        Err(why) => return Finding::Unknown { why },
    };
    if payment.was_captured() {
        return match payment.captured() {
            Ok(amount) => Finding::Captured {
                amount,
                refunds: payment.refunds(),
                payment_key: payment.payment_key,
            },
            Err(why) => Finding::Unknown { why },
        };
    }
    match payment.status.as_str() {
        "READY" | "IN_PROGRESS" => Finding::Nothing,
        "ABORTED" | "EXPIRED" => payment.failed(),
        other => Finding::Unknown {
            why: format!("status {other}"),
        },
    }
}

fn refunded(whole: &Whole, refund_id: Uuid, amount: Money) -> RefundOutcome {
    if whole.status != StatusCode::OK {
        return codes::refund(whole);
    }
    let done = wire::Payment::read(&whole.body).map(|payment| {
        payment.refunds().iter().any(|refund| {
            refund.refund_id == Some(refund_id) && refund.amount == amount.minor_units
        })
    });
    match done {
        Ok(true) => RefundOutcome::Done,
        Ok(false) => RefundOutcome::Unknown {
            why: "the answer does not show the refund".to_owned(),
        },
        Err(why) => RefundOutcome::Unknown { why },
    }
}
