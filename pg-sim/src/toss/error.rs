//! The error object of Toss, `{code, message}`, and the HTTP status each code has.

use axum::http::StatusCode;
use serde_json::json;

use crate::book::Refusal;
use crate::exchange::Answer;

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer {
        status,
        body: json!({"code": code, "message": message}).to_string(),
    }
}

/// The answer to a request that the book refused.
pub(crate) fn refused(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::NotFound => error(
            StatusCode::NOT_FOUND,
            "NOT_FOUND_PAYMENT",
            "The payment does not exist.",
        ),
        Refusal::SessionExpired => error(
            StatusCode::NOT_FOUND,
            "NOT_FOUND_PAYMENT_SESSION",
            "The time to confirm is over.",
        ),
        Refusal::AlreadyProcessed => error(
            StatusCode::BAD_REQUEST,
            "ALREADY_PROCESSED_PAYMENT",
            "The payment was processed before.",
        ),
        Refusal::DuplicatedOrder => error(
            StatusCode::BAD_REQUEST,
            "DUPLICATED_ORDER_ID",
            "The order was paid before.",
        ),
        Refusal::Invalid(message) => error(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message),
        Refusal::ExceedMaxAmount => error(
            StatusCode::BAD_REQUEST,
            "EXCEED_MAX_AMOUNT",
            "The amount is above the limit.",
        ),
        Refusal::Declined(failure) => {
            let status = StatusCode::from_u16(failure.http).unwrap_or(StatusCode::BAD_REQUEST);
            error(status, failure.code, failure.message)
        }
        Refusal::AlreadyCanceled => error(
            StatusCode::BAD_REQUEST,
            "ALREADY_CANCELED_PAYMENT",
            "The payment was cancelled before.",
        ),
        Refusal::NotCancelable => error(
            StatusCode::FORBIDDEN,
            "NOT_CANCELABLE_PAYMENT",
            "The payment cannot be cancelled.",
        ),
        Refusal::NotCancelableAmount => error(
            StatusCode::FORBIDDEN,
            "NOT_CANCELABLE_AMOUNT",
            "The amount is above what is left.",
        ),
        Refusal::Full(what) => {
            let message =
                format!("the simulator holds no more {what}; nothing happened, restart it");
            error(StatusCode::SERVICE_UNAVAILABLE, "SIMULATOR_FULL", &message)
        }
    }
}

/// The first request with this idempotency key still runs.
pub(crate) fn in_progress() -> Answer {
    error(
        StatusCode::CONFLICT,
        "IDEMPOTENT_REQUEST_PROCESSING",
        "The first request with this key still runs.",
    )
}

/// The key is empty or too long.
pub(crate) fn idempotency_key() -> Answer {
    error(
        StatusCode::BAD_REQUEST,
        "INVALID_IDEMPOTENCY_KEY",
        "The idempotency key has 1..300 characters.",
    )
}

/// The gateway fails.
pub(crate) fn server_error() -> Answer {
    error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "FAILED_INTERNAL_SYSTEM_PROCESSING",
        "An internal step failed.",
    )
}

/// The issuer's side fails for a while; Toss answers it with 400.
pub(crate) fn provider_error() -> Answer {
    error(
        StatusCode::BAD_REQUEST,
        "PROVIDER_ERROR",
        "A temporary fault, try again.",
    )
}

/// The secret is wrong.
pub(crate) fn unauthorized() -> Answer {
    error(
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED_KEY",
        "The secret key is missing or wrong.",
    )
}

/// The authorization header is not Basic with a user and an empty password.
pub(crate) fn auth_format() -> Answer {
    error(
        StatusCode::FORBIDDEN,
        "INCORRECT_BASIC_AUTH_FORMAT",
        "Send Basic base64(secret + \":\").",
    )
}

/// A fault that cannot fire.
pub(crate) fn fault(problem: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "INVALID_FAULT", problem)
}

/// No such route.
pub(crate) fn no_route() -> Answer {
    error(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "No route takes this request.",
    )
}

/// No such order in the oracle.
pub(crate) fn no_order() -> Answer {
    error(
        StatusCode::NOT_FOUND,
        "UNKNOWN_ORDER",
        "Nothing ever happened to this order.",
    )
}
