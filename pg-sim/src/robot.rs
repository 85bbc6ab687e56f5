//! The robot buyer and the saboteur: routes that a test uses in place of a person and of bad luck.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::book::{Authorization, Outcome, Refusal};
use crate::desk::{self, Desk};
use crate::exchange::Answer;
use crate::fault::{Fault, FaultSpec};
use crate::toss::error;

/// Longest order id of Toss, in characters.
const ORDER_ID_CHARS_MAX: usize = 64;
/// Longest time for which nobody listens: longer than any retry of a shop that a test waits for.
const OUTAGE_MILLIS_MAX: u64 = 60_000;

/// Every route of the robot; no secret guards them, the loopback address does.
pub(crate) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/sim/orders/{order_id}/authorize", post(authorize))
        .route("/sim/orders/{order_id}/faults", post(arm))
        .route("/sim/outage", post(outage))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AuthorizeBody {
    amount: i64,
    outcome: Outcome,
    #[serde(default = "won")]
    currency: String,
    #[serde(default)]
    order_name: String,
    #[serde(default)]
    faults: Vec<FaultSpec>,
}

fn won() -> String {
    "KRW".to_owned()
}

async fn authorize(
    State(desk): State<Arc<Desk>>,
    Path(order_id): Path<String>,
    Json(body): Json<AuthorizeBody>,
) -> Result<Response, Answer> {
    check_order_id(&order_id)?;
    if body.amount <= 0 {
        return Err(Refusal::Invalid("amount is not above 0").into());
    }
    let faults = read(&body.faults)?;
    let amount = body.amount;
    let asked = Authorization {
        order_id: order_id.clone(),
        order_name: body.order_name,
        amount,
        currency: body.currency,
        outcome: body.outcome,
    };
    let mut book = desk.book();
    let payment_key = book.authorize(asked, desk::now().wall)?;
    arm_all(book.open(&order_id)?, faults)?;
    Ok(
        Json(json!({"paymentKey": payment_key, "orderId": order_id, "amount": amount}))
            .into_response(),
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsBody {
    faults: Vec<FaultSpec>,
}

async fn arm(
    State(desk): State<Arc<Desk>>,
    Path(order_id): Path<String>,
    Json(body): Json<FaultsBody>,
) -> Result<StatusCode, Answer> {
    check_order_id(&order_id)?;
    let faults = read(&body.faults)?;
    arm_all(desk.book().open(&order_id)?, faults)?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_order_id(order_id: &str) -> Result<(), Refusal> {
    if order_id.chars().count() > ORDER_ID_CHARS_MAX {
        return Err(Refusal::Invalid("orderId has 1..64 characters"));
    }
    Ok(())
}

fn read(specs: &[FaultSpec]) -> Result<Vec<(FaultSpec, Fault)>, Answer> {
    let read = |spec: &FaultSpec| {
        spec.read()
            .map(|fault| (spec.clone(), fault))
            .map_err(|problem| error::fault(&problem.to_string()))
    };
    specs.iter().map(read).collect()
}

fn arm_all(order: &mut crate::book::Order, faults: Vec<(FaultSpec, Fault)>) -> Result<(), Refusal> {
    if order.faults.room() < faults.len() {
        return Err(Refusal::Full("faults of the order"));
    }
    faults
        .into_iter()
        .for_each(|(spec, fault)| order.faults.arm(spec, fault));
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageBody {
    millis: u64,
}

async fn outage(
    State(desk): State<Arc<Desk>>,
    Json(body): Json<OutageBody>,
) -> Result<StatusCode, Answer> {
    if body.millis > OUTAGE_MILLIS_MAX {
        return Err(error::fault("millis is above 60000"));
    }
    let sent = desk.outages.try_send(Duration::from_millis(body.millis));
    sent.map(|()| StatusCode::ACCEPTED)
        .map_err(|_| error::fault("another outage is on its way"))
}
