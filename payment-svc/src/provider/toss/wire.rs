//! The Payment object of Toss, as far as it is read.

use mesh::money::{Currency, Money};
use serde::Deserialize;
use uuid::Uuid;

use super::codes;
use crate::domain::{Answer, Finding, Refund};

/// Before the refund id in a cancel's reason, so that people see what it is.
const REASON: &str = "usher refund ";

/// A payment at Toss.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub(super) payment_key: String,
    pub(super) order_id: String,
    pub(super) status: String,
    currency: String,
    total_amount: i64,
    #[serde(default)]
    approved_at: Option<String>,
    #[serde(default)]
    cancels: Option<Vec<Cancel>>,
    #[serde(default)]
    failure: Option<Failure>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancel {
    cancel_amount: i64,
    #[serde(default)]
    cancel_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    code: String,
}

/// Reason of a cancel: our id of the refund, by which an inquiry knows it again.
pub(super) fn reason(refund_id: Uuid) -> String {
    format!("{REASON}{refund_id}")
}

impl Payment {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("the answer is no payment: {error}"))
    }

    /// Whether money was taken, given back since or not.
    pub(super) fn was_captured(&self) -> bool {
        let captured = matches!(
            self.status.as_str(),
            "DONE" | "CANCELED" | "PARTIAL_CANCELED"
        );
        captured && self.approved_at.is_some()
    }

    /// What was taken.
    pub(super) fn captured(&self) -> Result<Money, String> {
        let currency: Currency = self
            .currency
            .parse()
            .map_err(|error| format!("currency {:?} {error}", self.currency))?;
        if self.total_amount <= 0 {
            return Err(format!("an amount of {}", self.total_amount));
        }
        Ok(Money::new(self.total_amount, currency))
    }

    /// What was given back.
    pub(super) fn refunds(&self) -> Vec<Refund> {
        let cancels = self.cancels.iter().flatten();
        cancels
            .map(|cancel| Refund {
                refund_id: cancel.refund_id(),
                amount: cancel.cancel_amount,
            })
            .collect()
    }

    /// The payment ended without money.
    pub(super) fn failed(self) -> Finding {
        let answer = Answer::read(
            self.failure
                .as_ref()
                .map_or(&self.status, |failure| &failure.code),
        );
        let customer_may_retry = codes::customer_may_retry(answer.code());
        Finding::Failed {
            payment_key: self.payment_key,
            decline: answer.declines(customer_may_retry),
        }
    }
}

impl Cancel {
    fn refund_id(&self) -> Option<Uuid> {
        self.cancel_reason
            .as_deref()?
            .strip_prefix(REASON)
            .and_then(mesh::id::parse)
    }
}
