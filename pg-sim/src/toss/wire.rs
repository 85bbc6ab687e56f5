//! JSON of Toss: the bodies it takes and the Payment object it answers.

use axum::http::StatusCode;
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error;
use crate::book::{Cancel, Cancellation, Confirmation, Payment, Refusal, Status};
use crate::exchange::Answer;

/// Longest cancel reason of Toss, in characters.
const REASON_CHARS_MAX: usize = 200;
/// Times are told in Korea's time, as Toss does.
const KOREA_SECONDS_EAST: i32 = 9 * 3_600;

/// Body of confirm.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmBody {
    payment_key: String,
    order_id: String,
    amount: i64,
}

impl ConfirmBody {
    pub(super) fn read(self) -> Result<Confirmation, Refusal> {
        if self.amount <= 0 {
            return Err(Refusal::Invalid("amount is not above 0"));
        }
        Ok(Confirmation {
            payment_key: self.payment_key,
            order_id: self.order_id,
            amount: self.amount,
        })
    }
}

/// Body of cancel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelBody {
    cancel_reason: String,
    #[serde(default)]
    cancel_amount: Option<i64>,
}

impl CancelBody {
    pub(super) fn read(self, payment_key: String) -> Result<Cancellation, Refusal> {
        if self.cancel_reason.is_empty() || self.cancel_reason.chars().count() > REASON_CHARS_MAX {
            return Err(Refusal::Invalid("cancelReason has 1..200 characters"));
        }
        if self.cancel_amount.is_some_and(|amount| amount <= 0) {
            return Err(Refusal::Invalid("cancelAmount is not above 0"));
        }
        Ok(Cancellation {
            payment_key,
            reason: self.cancel_reason,
            amount: self.cancel_amount,
        })
    }
}

/// The Payment object, or the error object of a refusal.
pub(super) fn answer(outcome: Result<Payment, Refusal>) -> Answer {
    match outcome {
        Ok(payment) => Answer {
            status: StatusCode::OK,
            body: object(&payment).to_string(),
        },
        Err(refusal) => error::refused(&refusal),
    }
}

fn object(payment: &Payment) -> Value {
    let cancels: Vec<Value> = payment
        .cancels
        .iter()
        .enumerate()
        .map(|(index, entry)| cancel(payment, index, entry))
        .collect();
    json!({
        "mId": "tsim",
        "version": "2022-11-16",
        "type": "NORMAL",
        "country": "KR",
        "paymentKey": payment.payment_key,
        "lastTransactionKey": format!("{}.{}", payment.payment_key, cancels.len()),
        "orderId": payment.order_id,
        "orderName": payment.order_name,
        "currency": payment.currency,
        "method": "카드",
        "status": payment.status.word(),
        "requestedAt": korea(payment.requested_at),
        "approvedAt": payment.approved_at.map(korea),
        "totalAmount": payment.total_amount,
        "balanceAmount": payment.balance_amount,
        "isPartialCancelable": matches!(payment.status, Status::Done | Status::PartialCanceled),
        "cancels": if cancels.is_empty() { Value::Null } else { Value::from(cancels) },
        "failure": payment.failure.map(|failure| json!({"code": failure.code, "message": failure.message})),
    })
}

fn cancel(payment: &Payment, index: usize, entry: &Cancel) -> Value {
    json!({
        "cancelAmount": entry.amount,
        "cancelReason": entry.reason,
        "canceledAt": korea(entry.at),
        "transactionKey": format!("{}.{}", payment.payment_key, index + 1),
        "refundableAmount": entry.refundable_amount,
        "cancelStatus": "DONE",
    })
}

fn korea(time: DateTime<Utc>) -> String {
    let zone = FixedOffset::east_opt(KOREA_SECONDS_EAST);
    zone.map_or_else(
        || time.to_rfc3339_opts(SecondsFormat::Secs, false),
        |zone| {
            time.with_timezone(&zone)
                .to_rfc3339_opts(SecondsFormat::Secs, false)
        },
    )
}
