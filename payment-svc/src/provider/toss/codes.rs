//! Error codes of Toss. Only a listed code is a decline or a refusal: Toss answers temporary faults with HTTP 400 too, and adds codes
//! without notice, so that everything else is unknown and inquired.

use std::time::Duration;

use serde::Deserialize;

use super::super::http::Whole;
use crate::domain::{Answer, Finding, Outcome, RefundOutcome};

/// How long Toss knows an idempotency key: 15 days, less a day for our own delays.
pub const KEY_HONOURED: Duration = Duration::from_secs(14 * 24 * 3_600);

/// Declines after which another card, or a new try, may do.
const DECLINED: &[&str] = &[
    "BELOW_MINIMUM_AMOUNT",
    "EXCEED_MAX_AMOUNT",
    "EXCEED_MAX_AUTH_COUNT",
    "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT",
    "EXCEED_MAX_ONE_DAY_AMOUNT",
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT",
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT",
    "EXCEED_MAX_PAYMENT_AMOUNT",
    "INVALID_CARD_EXPIRATION",
    "INVALID_CARD_INSTALLMENT_PLAN",
    "INVALID_CARD_NUMBER",
    "INVALID_PASSWORD",
    "INVALID_REJECT_CARD",
    "INVALID_REQUEST",
    "INVALID_STOPPED_CARD",
    "NOT_ALLOWED_POINT_USE",
    "NOT_AVAILABLE_BANK",
    "NOT_AVAILABLE_PAYMENT",
    "NOT_FOUND_PAYMENT",
    "NOT_FOUND_PAYMENT_SESSION",
    "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT",
    "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
    "REJECT_ACCOUNT_PAYMENT",
    "REJECT_CARD_COMPANY",
    "REJECT_CARD_PAYMENT",
    "REJECT_TOSSPAY_INVALID_ACCOUNT",
];

/// Declines after which this buyer shall not try again.
const DECLINED_FOR_GOOD: &[&str] = &[
    "FDS_ERROR",
    "INVALID_CARD_LOST_OR_STOLEN",
    "RESTRICTED_TRANSFER_ACCOUNT",
];

/// Refusals of a refund that a repetition does not change.
const REFUND_REFUSED: &[&str] = &[
    "EXCEED_MAX_REFUND_DUE",
    "INVALID_REFUND_ACCOUNT_INFO",
    "INVALID_REQUEST",
    "NOT_ALLOWED_PARTIAL_REFUND",
    "NOT_CANCELABLE_AMOUNT",
    "NOT_CANCELABLE_PAYMENT",
    "NOT_FOUND_PAYMENT",
    "REFUND_REJECTED",
];

#[derive(Deserialize)]
struct Error {
    code: String,
}

/// The code of an error, or why it cannot be read.
fn code(whole: &Whole) -> Result<Answer, String> {
    let error: Result<Error, _> = serde_json::from_slice(&whole.body);
    match error {
        Ok(error) if whole.status.is_client_error() => Ok(Answer::read(&error.code)),
        Ok(error) => Err(format!("{} {}", whole.status, error.code)),
        Err(_) => Err(format!("{} without a code", whole.status)),
    }
}

/// Whether another card may do after this code.
pub(super) fn customer_may_retry(code: &str) -> bool {
    !DECLINED_FOR_GOOD.contains(&code)
}

/// What an error means for a confirm.
pub(super) fn confirm(whole: &Whole) -> Outcome {
    match code(whole) {
        Ok(answer) if answer.code() == "IDEMPOTENT_REQUEST_PROCESSING" => Outcome::Pending,
        Ok(answer) if DECLINED.contains(&answer.code()) => Outcome::Declined(answer.declines(true)),
        Ok(answer) if DECLINED_FOR_GOOD.contains(&answer.code()) => {
            Outcome::Declined(answer.declines(false))
        }
        Ok(answer) => Outcome::Unknown {
            why: answer.code().to_owned(),
        },
        Err(why) => Outcome::Unknown { why },
    }
}

/// What an error means for an inquiry.
pub(super) fn inquire(whole: &Whole) -> Finding {
    match code(whole) {
        Ok(answer) if answer.code() == "NOT_FOUND_PAYMENT" => Finding::Nothing,
        Ok(answer) => Finding::Unknown {
            why: answer.code().to_owned(),
        },
        Err(why) => Finding::Unknown { why },
    }
}

/// What an error means for a refund.
pub(super) fn refund(whole: &Whole) -> RefundOutcome {
    match code(whole) {
        Ok(answer) if REFUND_REFUSED.contains(&answer.code()) => RefundOutcome::Refused(answer),
        Ok(answer) => RefundOutcome::Unknown {
            why: answer.code().to_owned(),
        },
        Err(why) => RefundOutcome::Unknown { why },
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn error(status: u16, code: &str) -> Whole {
        let body = format!(r#"{{"code":"{code}","message":"..."}}"#);
        Whole {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.into_bytes(),
        }
    }

    #[test]
    fn only_a_listed_code_declines() {
        let outcome = |status, code| confirm(&error(status, code));
        assert!(
            matches!(outcome(403, "REJECT_CARD_PAYMENT"), Outcome::Declined(decline) if decline.customer_may_retry())
        );
        assert!(
            matches!(outcome(403, "FDS_ERROR"), Outcome::Declined(decline) if !decline.customer_may_retry())
        );
        assert_eq!(
            outcome(409, "IDEMPOTENT_REQUEST_PROCESSING"),
            Outcome::Pending
        );
        for (status, code) in [
            (400, "ALREADY_PROCESSED_PAYMENT"),
            (400, "PROVIDER_ERROR"),
            (400, "DUPLICATED_ORDER_ID"),
            (401, "UNAUTHORIZED_KEY"),
            (400, "NEW_CODE"),
            (500, "REJECT_CARD_PAYMENT"),
        ] {
            assert!(
                matches!(outcome(status, code), Outcome::Unknown { .. }),
                "{code}"
            );
        }
        let garbage = Whole {
            status: StatusCode::FORBIDDEN,
            body: b"<html>".to_vec(),
        };
        assert!(matches!(confirm(&garbage), Outcome::Unknown { .. }));
    }

    #[test]
    fn lists_do_not_overlap() {
        assert!(
            DECLINED
                .iter()
                .all(|code| !DECLINED_FOR_GOOD.contains(code))
        );
    }
}
