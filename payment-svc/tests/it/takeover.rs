//! A process that slept through its claim: whoever claimed the work after it decides, and what the sleeper found is not written.

use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::faults::Halt;
use payment_svc::domain::State;
use payment_svc::timings::PaymentTimings;
use serde_json::json;

use crate::shop::{AMOUNT, Shop, until};

/// Refunds that are done, with the money in the books, after somebody else claimed the refund in between, or nobody.
async fn refunds_written(claimed_by_another: bool) -> i64 {
    let halt = Halt::default();
    let shop = Shop::open_with(halt.at("refund/answer")).await;
    let order = shop.captured().await;
    shop.refund(&order, Some(4_000)).await.unwrap();
    halt.reached().await;
    if claimed_by_another {
        let claim = "UPDATE refund SET attempts = attempts + 1, next_attempt_time = now() + interval '1 hour'";
        shop.sql(claim).await.unwrap();
    }
    halt.go();
    shop.close().await;
    let written = "SELECT count(*) AS n FROM refund JOIN payment USING (payment_id) WHERE refund.state = 'DONE' AND refunded_amount = 4000";
    let touched = "SELECT count(*) AS n FROM refund JOIN payment USING (payment_id) WHERE refund.state = 'DONE' OR refunded_amount > 0";
    let written = shop.number(written).await;
    assert_eq!(shop.number(touched).await, written, "both or neither");
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_written_by_its_last_claimant_alone() {
    assert_eq!(refunds_written(false).await, 1);
    assert_eq!(refunds_written(true).await, 0);
}

/// Findings that changed their payment, after somebody else claimed the inquiry in between, or nobody.
async fn findings_written(claimed_by_another: bool) -> i64 {
    let halt = Halt::default();
    let shop = Shop::open_with(halt.at("inquire/answer")).await;
    let faults = json!([{"on": "confirm", "kind": "reset", "when": "after"}, {"on": "inquire", "kind": "absent"}]);
    let (order, key) = shop.authorized("approve", faults).await;
    shop.confirm(&order, &key).await.unwrap();
    halt.reached().await;
    if claimed_by_another {
        let claim =
            "UPDATE payment SET lease_gen = lease_gen + 1, lease_until = now() + interval '1 hour'";
        shop.sql(claim).await.unwrap();
    }
    halt.go();
    shop.close().await;
    shop.number("SELECT count(*) AS n FROM payment WHERE checks > 0 OR state = 'CAPTURED'")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_written_by_its_last_claimant_alone() {
    assert_eq!(findings_written(false).await, 1);
    assert_eq!(findings_written(true).await, 0);
}

/// Claims that a refund needs whose process sleeps this long between the first one and the sending.
async fn claims_after(sleep: Duration) -> i64 {
    let halt = Halt::default();
    let shop = Shop::open_with(halt.at("refund/claim")).await;
    let order = shop.captured().await;
    shop.refund(&order, None).await.unwrap();
    halt.reached().await;
    let slept = Stopwatch::start();
    until("it slept", async || slept.elapsed() > sleep).await;
    halt.go();
    shop.until_state(&order, State::Refunded).await;
    assert_eq!(
        shop.gateway.truth(order.payment_id).await,
        [AMOUNT, AMOUNT, 1, 1]
    );
    let calls = shop.gateway.oracle(order.payment_id).await["calls"].clone();
    assert_eq!(calls["cancel"], 1, "sent under one claim");
    shop.check_books(&order).await;
    shop.number("SELECT attempts::bigint AS n FROM refund")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_slept_sends_no_refund_under_an_old_claim() {
    assert_eq!(claims_after(Duration::ZERO).await, 1);
    let within = PaymentTimings::test().refund_send_within;
    assert_eq!(claims_after(within).await, 2);
}
