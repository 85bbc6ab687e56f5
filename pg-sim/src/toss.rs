//! The gateway as a shop sees it: the routes of Toss under `/v1/payments`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

pub(crate) mod auth;
pub(crate) mod error;
mod wire;

use crate::book::{Cancellation, Confirmation, Refusal, Scope};
use crate::desk::Desk;
use crate::exchange::{Answer, Call, exchange};
use crate::fault::{Fault, FaultSpec, Operation};

/// Longest idempotency key of Toss, in characters.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 300;
/// Header with a key, on POST.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header with one fault as JSON, for this request alone.
const FAULT: &str = "sim-fault";

/// Every route of the gateway, behind its secret.
pub(crate) fn routes(desk: &Arc<Desk>) -> Router<Arc<Desk>> {
    Router::new()
        .route("/v1/payments/confirm", post(confirm))
        .route("/v1/payments/{payment_key}", get(by_key))
        .route("/v1/payments/orders/{order_id}", get(by_order))
        .route("/v1/payments/{payment_key}/cancel", post(cancel))
        .layer(middleware::from_fn_with_state(
            Arc::clone(desk),
            auth::check,
        ))
}

async fn confirm(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Answer> {
    let asked: Confirmation = read::<wire::ConfirmBody>(&body)?.read()?;
    let call = Call {
        on: Operation::Confirm,
        order_id: Some(asked.order_id.clone()),
        scope: scope(&headers, "/v1/payments/confirm".to_owned())?,
        header: header_fault(&headers, Operation::Confirm)?,
    };
    Ok(exchange(desk, call, move |book, header, now| {
        wire::answer(book.confirm(&asked, header, now))
    })
    .await)
}

async fn cancel(
    State(desk): State<Arc<Desk>>,
    Path(payment_key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Answer> {
    let path = format!("/v1/payments/{payment_key}/cancel");
    let asked: Cancellation = read::<wire::CancelBody>(&body)?.read(payment_key)?;
    let call = Call {
        on: Operation::Cancel,
        order_id: desk.book().order_of(&asked.payment_key).map(str::to_owned),
        scope: scope(&headers, path)?,
        header: header_fault(&headers, Operation::Cancel)?,
    };
    Ok(exchange(desk, call, move |book, header, now| {
        wire::answer(book.cancel(&asked, header, now))
    })
    .await)
}

async fn by_order(
    State(desk): State<Arc<Desk>>,
    Path(order_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Answer> {
    inquire(desk, Some(order_id), None, &headers).await
}

async fn by_key(
    State(desk): State<Arc<Desk>>,
    Path(payment_key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Answer> {
    let order_id = desk.book().order_of(&payment_key).map(str::to_owned);
    inquire(desk, order_id, Some(payment_key), &headers).await
}

async fn inquire(
    desk: Arc<Desk>,
    order_id: Option<String>,
    payment_key: Option<String>,
    headers: &HeaderMap,
) -> Result<Response, Answer> {
    let header = header_fault(headers, Operation::Inquire)?;
    let call = Call {
        on: Operation::Inquire,
        order_id: order_id.clone(),
        scope: None,
        header,
    };
    let response = exchange(desk, call, move |book, header, now| {
        let found = order_id.ok_or(Refusal::NotFound);
        wire::answer(
            found.and_then(|order_id| book.inquire(&order_id, payment_key.as_deref(), header, now)),
        )
    });
    Ok(response.await)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|_| {
        error::refused(&Refusal::Invalid(
            "the body is not the JSON this route takes",
        ))
    })
}

fn scope(headers: &HeaderMap, path: String) -> Result<Option<Scope>, Answer> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = key.to_str().map_err(|_| error::idempotency_key())?;
    if key.is_empty() || key.chars().count() > IDEMPOTENCY_KEY_CHARS_MAX {
        return Err(error::idempotency_key());
    }
    Ok(Some(Scope {
        method: "POST",
        path,
        key: key.to_owned(),
    }))
}

fn header_fault(headers: &HeaderMap, on: Operation) -> Result<Option<Fault>, Answer> {
    let Some(text) = headers.get(FAULT) else {
        return Ok(None);
    };
    let spec: FaultSpec = serde_json::from_slice(text.as_bytes())
        .map_err(|_| error::fault("sim-fault is not a fault as JSON"))?;
    if spec.on() != on {
        return Err(error::fault("sim-fault is about another request"));
    }
    spec.read()
        .map(Some)
        .map_err(|problem| error::fault(&problem.to_string()))
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        error::refused(&refusal)
    }
}

/// What no route takes.
pub(crate) async fn no_route() -> Response {
    error::no_route().into_response()
}
