//! The truth about every order, for tests: what was captured and refunded, in which order, after which requests and faults.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::book::Order;
use crate::desk::Desk;
use crate::toss::error;

/// Orders a page; a page of orders with their effects stays near 1 MB.
const PAGE_MAX: usize = 1_000;

/// Every route of the oracle.
pub(crate) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/oracle/orders/{order_id}", get(one))
        .route("/oracle/orders", get(all))
}

async fn one(State(desk): State<Arc<Desk>>, Path(order_id): Path<String>) -> Response {
    desk.book().order(&order_id).map_or_else(
        || error::no_order().into_response(),
        |order| Json(view(&order_id, order)).into_response(),
    )
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    after: String,
    limit: Option<usize>,
}

async fn all(State(desk): State<Arc<Desk>>, Query(page): Query<Page>) -> Json<Value> {
    let limit = page.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let book = desk.book();
    let mut rest = book.orders_after(&page.after);
    let orders: Vec<Value> = rest
        .by_ref()
        .take(limit)
        .map(|(order_id, order)| view(order_id, order))
        .collect();
    let next = rest
        .next()
        .and(orders.last())
        .map(|last| last["orderId"].clone());
    Json(json!({"totals": book.totals(), "orders": orders, "next": next}))
}

fn view(order_id: &str, order: &Order) -> Value {
    let payments: Vec<Value> = order.payments.iter().map(|payment| {
        json!({"paymentKey": payment.payment_key, "status": payment.status.word(), "totalAmount": payment.total_amount, "balanceAmount": payment.balance_amount})
    }).collect();
    let totals = order.totals();
    json!({
        "orderId": order_id,
        "currency": order.currency(),
        "captured": totals.captured,
        "refunded": totals.refunded,
        "captures": totals.captures,
        "refunds": totals.refunds,
        "payments": payments,
        "effects": order.effects,
        "calls": order.calls,
        "faults": order.faults.view(),
    })
}
