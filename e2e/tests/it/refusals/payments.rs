//! ConfirmPayment, GetPayment, InquirePayment, RetryRefund.

use e2e::rest::{Call, Person};
use mesh::id;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{Case, INVALID, Told, absent, bad, failed};
use crate::real::{Order, RealMesh};

pub(super) async fn cases(mesh: &RealMesh, scene: &Scene) -> Vec<Case> {
    let fresh = mesh.authorize(&scene.waiting, "approve").await;
    let mut cases = states(scene, &fresh);
    cases.extend(requests(scene, &fresh));
    cases.extend(others(scene, &fresh));
    cases
}

fn confirm(person: &Person, order: &Order, key: &str, amount: &Value) -> Call {
    let path = format!("/v1/payments/{}:confirm", order.payment_id);
    let body = json!({"paymentKey": key, "amount": amount});
    Call::post(path).by(person).json(&body)
}

fn states(scene: &Scene, fresh: &str) -> Vec<Case> {
    let (buyer, (paid, used)) = (&scene.buyer, &scene.paid);
    let of = |order: &Order| confirm(buyer, order, fresh, &order.total);
    vec![
        Case::new("paying twice", of(paid), failed("PAYMENT_ALREADY_CAPTURED")),
        Case::new(
            "paying what was declined for good",
            of(&scene.declined),
            failed("PAYMENT_DECLINED"),
        ),
        Case::new(
            "paying what was called off",
            of(&scene.abandoned),
            failed("PAYMENT_CANCELLED"),
        ),
        Case::new(
            "paying too late",
            of(&scene.late),
            failed("PAYMENT_EXPIRED"),
        ),
        Case::new(
            "the key of another payment",
            confirm(buyer, &scene.waiting, used, &scene.waiting.total),
            (409, "ALREADY_EXISTS", "PAYMENT_KEY_USED"),
        ),
    ]
}

fn requests(scene: &Scene, fresh: &str) -> Vec<Case> {
    let (buyer, order) = (&scene.buyer, &scene.waiting);
    let of = |key: &str, amount: Value| confirm(buyer, order, key, &amount);
    let won = |units: &str| json!({"minorUnits": units, "currency": "KRW"});
    let dollars = json!({"minorUnits": "50000", "currency": "USD"});
    vec![
        Case::new(
            "another amount",
            of(fresh, won("1")),
            bad("PAYMENT_AMOUNT_MISMATCH"),
        ),
        Case::new(
            "another currency",
            of(fresh, dollars),
            bad("CURRENCY_MISMATCH"),
        ),
        Case::new("no key", of("", order.total.clone()), INVALID),
        Case::new(
            "a key as long as a letter",
            of(&"k".repeat(201), order.total.clone()),
            INVALID,
        ),
        Case::new(
            "no amount",
            Call::post(format!("/v1/payments/{}:confirm", order.payment_id))
                .by(buyer)
                .json(&json!({"paymentKey": fresh})),
            INVALID,
        ),
    ]
}

fn others(scene: &Scene, fresh: &str) -> Vec<Case> {
    let (buyer, stranger, order) = (&scene.buyer, &scene.stranger, &scene.waiting);
    let none = absent("PAYMENT_NOT_FOUND");
    let not_here: Told = (405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED");
    let get = |id: String, person| Call::get(format!("/v1/payments/{id}")).by(person);
    let inquire = |person| {
        let path = format!("/v1/payments/{}:inquire", order.payment_id);
        Call::post(path)
            .by(person)
            .json(&json!({"reason": "a test"}))
    };
    let mut cases = vec![
        Case::new(
            "paying for somebody else",
            confirm(stranger, order, fresh, &order.total),
            none,
        ),
        Case::new(
            "somebody else's payment",
            get(order.payment_id.to_string(), stranger),
            none,
        ),
        Case::new(
            "an unknown payment",
            get(id::new().to_string(), buyer),
            none,
        ),
        Case::new(
            "a payment that is no id",
            get("cash".to_owned(), buyer),
            INVALID,
        ),
        Case::new(
            "an inquiry at the public door",
            inquire(&scene.admin),
            not_here,
        ),
        Case::new(
            "creating a payment through the door",
            Call::post("/v1/payments").by(buyer),
            not_here,
        ),
    ];
    let mut inside = vec![
        Case::new(
            "an inquiry by a buyer",
            inquire(buyer),
            (403, "PERMISSION_DENIED", "ROLE_REQUIRED"),
        ),
        Case::new(
            "retrying an unknown refund",
            Call::post(format!("/v1/refunds/{}:retry", id::new()))
                .by(&scene.admin)
                .json(&json!({"reason": "a test"})),
            absent("REFUND_NOT_FOUND"),
        ),
        Case::new(
            "an inquiry without a reason",
            inquire(&scene.admin).json(&json!({})),
            INVALID,
        ),
    ];
    for case in &mut inside {
        case.admin = true;
    }
    cases.extend(inside);
    cases
}
