//! The Toss client over real HTTP: every way to break an answer, and what may be concluded from it.

use std::time::Duration;

use mesh::money::Money;
use payment_svc::domain::{Finding, NotSent, Outcome, Refund, RefundOutcome};
use payment_svc::provider::toss::Toss;
use payment_svc::provider::{Charge, Provider, RefundCharge};
use serde_json::json;
use uuid::Uuid;

use crate::gateway::Gateway;

const AMOUNT: i64 = 15_000;
/// Longer than any answer of the simulator that is not told to be late.
const PATIENCE: Duration = Duration::from_secs(10);

fn won(units: i64) -> Money {
    Money::new(units, "KRW".parse().unwrap())
}

fn charge(order_id: Uuid, payment_key: &str) -> Charge {
    Charge {
        order_id,
        payment_key: payment_key.to_owned(),
        amount: won(AMOUNT),
        idempotency_key: mesh::id::derive(order_id, "attempt/1"),
    }
}

fn refund(order_id: Uuid, payment_key: &str, amount: i64) -> RefundCharge {
    let refund_id = mesh::id::derive(order_id, format!("refund of {amount}"));
    RefundCharge {
        payment_key: payment_key.to_owned(),
        refund_id,
        amount: won(amount),
        idempotency_key: mesh::id::derive(refund_id, "refund"),
    }
}

/// An order with one authorised payment.
async fn authorized(gateway: &Gateway, outcome: &str, faults: serde_json::Value) -> (Uuid, String) {
    let order_id = mesh::id::new();
    let key = gateway.authorize(order_id, AMOUNT, outcome, faults).await;
    (order_id, key)
}

/// A captured order.
async fn captured(gateway: &Gateway, toss: &Toss) -> (Uuid, String) {
    let (order_id, key) = authorized(gateway, "approve", json!([])).await;
    let outcome = toss.confirm(charge(order_id, &key)).await.unwrap();
    assert!(matches!(outcome, Outcome::Approved { .. }), "{outcome:?}");
    (order_id, key)
}

#[tokio::test]
async fn an_approved_charge_is_found_again_with_its_refunds() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    let (order_id, key) = authorized(&gateway, "approve", json!([])).await;
    assert_eq!(toss.inquire(mesh::id::new()).await, Finding::Nothing);
    assert_eq!(
        toss.inquire(order_id).await,
        Finding::Nothing,
        "authorised is not captured"
    );
    let approved = Outcome::Approved {
        payment_key: key.clone(),
        amount: won(AMOUNT),
    };
    assert_eq!(
        toss.confirm(charge(order_id, &key)).await,
        Ok(approved.clone())
    );
    assert_eq!(
        toss.confirm(charge(order_id, &key)).await,
        Ok(approved),
        "the same key again is harmless"
    );

    let part = refund(order_id, &key, 4_000);
    assert_eq!(toss.refund(part.clone()).await, Ok(RefundOutcome::Done));
    assert_eq!(
        toss.refund(part.clone()).await,
        Ok(RefundOutcome::Done),
        "and has one effect"
    );
    let refunds = vec![Refund {
        refund_id: Some(part.refund_id),
        amount: 4_000,
    }];
    assert_eq!(
        toss.inquire(order_id).await,
        Finding::Captured {
            payment_key: key,
            amount: won(AMOUNT),
            refunds
        }
    );
    assert_eq!(gateway.truth(order_id).await, [AMOUNT, 4_000, 1, 1]);
}

#[tokio::test]
async fn only_known_refusals_are_declines() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    for (outcome, code, may_retry) in [
        ("decline_retry", "REJECT_CARD_PAYMENT", true),
        ("decline_final", "FDS_ERROR", false),
        ("expire", "NOT_FOUND_PAYMENT_SESSION", true),
    ] {
        let (order_id, key) = authorized(&gateway, outcome, json!([])).await;
        match toss.confirm(charge(order_id, &key)).await {
            Ok(Outcome::Declined(decline)) => assert_eq!(
                (decline.code(), decline.customer_may_retry()),
                (code, may_retry)
            ),
            other => panic!("{outcome}: {other:?}"),
        }
        match toss.inquire(order_id).await {
            Finding::Failed {
                payment_key,
                decline,
            } => assert_eq!((payment_key, decline.code()), (key, code)),
            other => panic!("{outcome}: {other:?}"),
        }
    }
    let (order_id, key) = authorized(&gateway, "decline_unlisted", json!([])).await;
    assert_eq!(
        toss.confirm(charge(order_id, &key)).await,
        Ok(Outcome::Unknown {
            why: "UNLISTED_DECLINE".to_owned()
        })
    );
    assert!(
        matches!(toss.inquire(order_id).await, Finding::Failed { .. }),
        "the inquiry tells"
    );
}

#[tokio::test]
async fn no_broken_answer_is_a_decline_and_the_inquiry_tells_the_truth() {
    let gateway = Gateway::start().await;
    let mut cells = 0;
    for kind in [
        "reset",
        "close",
        "server_error",
        "provider_error",
        "in_progress",
        "garbage",
    ] {
        for when in ["before", "after"] {
            let toss = gateway.toss(PATIENCE);
            let (order_id, key) = authorized(
                &gateway,
                "approve",
                json!([{"on": "confirm", "kind": kind, "when": when}]),
            )
            .await;
            let outcome = toss.confirm(charge(order_id, &key)).await.unwrap();
            match kind {
                "in_progress" => assert_eq!(outcome, Outcome::Pending),
                _ => assert!(
                    matches!(outcome, Outcome::Unknown { .. }),
                    "{kind} {when}: {outcome:?}"
                ),
            }
            let found = toss.inquire(order_id).await;
            assert_eq!(
                matches!(found, Finding::Captured { .. }),
                when == "after",
                "{kind} {when}: {found:?}"
            );
            assert_eq!(gateway.oracle(order_id).await["faults"][0]["fired"], 1);
            cells += 1;
        }
    }
    assert_eq!(cells, 12);
}

#[tokio::test]
async fn a_late_answer_is_unknown_and_its_effect_is_found() {
    let gateway = Gateway::start().await;
    let late = json!([{"on": "confirm", "kind": "latency", "when": "after", "millis": 3_600_000}]);
    let (order_id, key) = authorized(&gateway, "approve", late).await;
    let outcome = gateway
        .toss(Duration::from_millis(200))
        .confirm(charge(order_id, &key))
        .await;
    assert!(
        matches!(outcome, Ok(Outcome::Unknown { .. })),
        "{outcome:?}"
    );
    assert!(matches!(
        gateway.toss(PATIENCE).inquire(order_id).await,
        Finding::Captured { .. }
    ));
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    let (order_id, key) = authorized(&gateway, "approve", json!([])).await;
    gateway.running.stop().await;
    assert!(matches!(
        toss.confirm(charge(order_id, &key)).await,
        Err(NotSent { .. })
    ));
    assert!(matches!(
        toss.refund(refund(order_id, &key, 1)).await,
        Err(NotSent { .. })
    ));
    assert!(
        matches!(toss.inquire(order_id).await, Finding::Unknown { .. }),
        "an inquiry that was not made tells nothing"
    );
}

#[tokio::test]
async fn what_was_truly_captured_is_told() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    let (order_id, key) = authorized(
        &gateway,
        "approve",
        json!([{"on": "confirm", "kind": "wrong_amount", "amount": 14_000}]),
    )
    .await;
    assert_eq!(
        toss.confirm(charge(order_id, &key)).await,
        Ok(Outcome::Approved {
            payment_key: key,
            amount: won(14_000)
        })
    );
}

#[tokio::test]
async fn an_answer_about_another_order_is_no_answer() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    let (one, key_one) = authorized(&gateway, "approve", json!([])).await;
    let (two, key_two) = authorized(&gateway, "approve", json!([])).await;
    let shared = charge(one, &key_one).idempotency_key;
    assert!(matches!(
        toss.confirm(charge(one, &key_one)).await,
        Ok(Outcome::Approved { .. })
    ));
    let mistaken = Charge {
        idempotency_key: shared,
        ..charge(two, &key_two)
    };
    assert_eq!(
        toss.confirm(mistaken).await,
        Ok(Outcome::Unknown {
            why: "the answer is about another order".to_owned()
        })
    );
}

#[tokio::test]
async fn a_refund_is_done_refused_or_unknown() {
    let gateway = Gateway::start().await;
    let mut cells = 0;
    for kind in [
        "reset",
        "close",
        "server_error",
        "provider_error",
        "in_progress",
        "garbage",
    ] {
        for when in ["before", "after"] {
            let toss = gateway.toss(PATIENCE);
            let (order_id, key) = captured(&gateway, &toss).await;
            gateway
                .arm(
                    order_id,
                    json!([{"on": "cancel", "kind": kind, "when": when}]),
                )
                .await;
            let wanted = refund(order_id, &key, AMOUNT);
            let outcome = toss.refund(wanted.clone()).await.unwrap();
            assert!(
                matches!(outcome, RefundOutcome::Unknown { .. }),
                "{kind} {when}: {outcome:?}"
            );
            let Finding::Captured { refunds, .. } = toss.inquire(order_id).await else {
                panic!("{kind} {when}")
            };
            assert_eq!(
                refunds
                    .iter()
                    .any(|refund| refund.refund_id == Some(wanted.refund_id)),
                when == "after"
            );
            assert_eq!(
                toss.refund(wanted).await,
                Ok(RefundOutcome::Done),
                "the same key again"
            );
            assert_eq!(gateway.truth(order_id).await, [AMOUNT, AMOUNT, 1, 1]);
            cells += 1;
        }
    }
    assert_eq!(cells, 12);
    let toss = gateway.toss(PATIENCE);
    let (order_id, key) = captured(&gateway, &toss).await;
    gateway
        .arm(order_id, json!([{"on": "cancel", "kind": "refuse_cancel"}]))
        .await;
    assert!(
        matches!(toss.refund(refund(order_id, &key, 1)).await, Ok(RefundOutcome::Refused(answer)) if answer.code() == "NOT_CANCELABLE_PAYMENT")
    );
    assert!(
        matches!(toss.refund(refund(order_id, &key, AMOUNT + 1)).await, Ok(RefundOutcome::Refused(answer)) if answer.code() == "NOT_CANCELABLE_AMOUNT")
    );
}

#[tokio::test]
async fn a_silent_provider_is_left_alone_and_a_bad_card_shuts_nobody_out() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    let (order_id, key) = authorized(
        &gateway,
        "approve",
        json!([{"on": "confirm", "kind": "server_error", "when": "before", "count": 100}]),
    )
    .await;
    for _ in 0..5 {
        assert!(matches!(
            toss.confirm(charge(order_id, &key)).await,
            Ok(Outcome::Unknown { .. })
        ));
    }
    assert!(
        matches!(
            toss.confirm(charge(order_id, &key)).await,
            Err(NotSent { .. })
        ),
        "not even sent"
    );
    assert_eq!(gateway.oracle(order_id).await["calls"]["confirm"], 5);

    // The same number of refusals, known and unknown, leaves another client open.
    let toss = gateway.toss(PATIENCE);
    for outcome in ["decline_retry", "decline_unlisted"] {
        for _ in 0..5 {
            let (order_id, key) = authorized(&gateway, outcome, json!([])).await;
            toss.confirm(charge(order_id, &key)).await.unwrap();
        }
    }
    captured(&gateway, &toss).await;
}

#[tokio::test]
async fn neither_the_secret_nor_a_payment_key_is_printed() {
    let gateway = Gateway::start().await;
    let toss = gateway.toss(PATIENCE);
    assert!(!format!("{toss:?}").contains("test_sk"), "{toss:?}");
    let (order_id, _) = authorized(&gateway, "approve", json!([])).await;
    gateway.running.stop().await;
    let Err(NotSent { why }) = toss.refund(refund(order_id, "a_payment_key", 1)).await else {
        panic!("sent")
    };
    assert!(!why.contains("a_payment_key"), "{why}");
}
