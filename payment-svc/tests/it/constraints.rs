//! The database is the second wall: each constraint fires on the row that the code would never write.

use crate::shop::{AMOUNT, Shop};
use mesh::pg::constraint;
use serde_json::json;

async fn refused_by(shop: &Shop, sql: &str) -> String {
    let error = shop.sql(sql).await.expect_err(sql);
    constraint(&error).map_or_else(|| error.to_string(), str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn money_limits_hold_without_the_code() {
    let shop = Shop::open().await;
    let order = shop.captured().await;
    let id = order.payment_id;
    let update = |set: &str| format!("UPDATE payment SET {set} WHERE payment_id = '{id}'");
    assert_eq!(
        refused_by(&shop, &update(&format!("refund_amount = {}", AMOUNT + 1))).await,
        "payment_refund_limit"
    );
    assert_eq!(
        refused_by(&shop, &update("refunded_amount = 1")).await,
        "payment_refund_limit"
    );
    assert_eq!(
        refused_by(
            &shop,
            &update("captured_amount = -1, refund_amount = -1, refunded_amount = -1")
        )
        .await,
        "payment_captured_amount"
    );
    assert_eq!(
        refused_by(&shop, &update("method = 'FREE'")).await,
        "payment_free_is_free"
    );
    assert_eq!(
        refused_by(&shop, &update("state = 'PAID'")).await,
        "payment_state_known"
    );
    assert_eq!(
        refused_by(&shop, &update("state = 'UNKNOWN'")).await,
        "payment_awaited_is_checked"
    );
    // The other side of the wall: what the code writes passes.
    shop.sql(&update(&format!(
        "refund_amount = {AMOUNT}, refunded_amount = 1"
    )))
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_live_attempt_one_live_payment_one_undo() {
    let shop = Shop::open().await;
    let order = shop.captured().await;
    let (id, booking) = (order.payment_id, order.booking_id);
    let attempt = |no: i32, state: &str| {
        format!(
            "INSERT INTO payment_attempt (payment_id, attempt_no, op, idempotency_key, provider_payment_key, amount, state, first_send_time, last_send_time)
             VALUES ('{id}', {no}, 'CONFIRM', '{}', 'key {no}', 1, '{state}', now(), now())",
            mesh::id::new()
        )
    };
    assert_eq!(
        refused_by(&shop, &attempt(2, "INTENT")).await,
        "payment_attempt_one_live"
    );
    shop.sql(&attempt(3, "ABSENT")).await.unwrap();
    let second = format!(
        "INSERT INTO payment SELECT '{}', booking_id, account_id, method, provider, order_name, amount, currency, 0, 0, 0, NULL,
         'AWAITING_CUSTOMER', request_hash, NULL, expire_time, NULL, 0, NULL, NULL, 0, 1, now() FROM payment WHERE payment_id = '{id}'",
        mesh::id::new()
    );
    assert_eq!(
        refused_by(&shop, &second).await,
        "payment_one_live_booking",
        "booking {booking}"
    );
    let undo = || {
        format!(
            "INSERT INTO refund (refund_id, payment_id, amount, currency, cause, idempotency_key, state, done_time)
             VALUES ('{}', '{id}', 1, 'KRW', 'UNDO', '{}', 'DONE', now())",
            mesh::id::new(),
            mesh::id::new()
        )
    };
    shop.sql(&undo()).await.unwrap();
    assert_eq!(refused_by(&shop, &undo()).await, "refund_one_undo");
    for (set, wall) in [
        ("retries = -1", "refund_retries"),
        ("park_time = now()", "refund_park_time"),
    ] {
        let sql = format!("UPDATE refund SET {set}");
        assert_eq!(refused_by(&shop, &sql).await, wall);
    }
    // As an older version parks, and as this one does.
    for park_time in ["NULL", "now()"] {
        let park = format!(
            "UPDATE refund SET state = 'PARKED', done_time = NULL, park_time = {park_time}"
        );
        shop.sql(&park).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_only_grows() {
    let shop = Shop::open().await;
    let (order, key) = shop.authorized("approve", json!([])).await;
    shop.confirm(&order, &key).await.unwrap();
    let told = shop
        .number(&format!(
            "SELECT count(*) AS n FROM payment_event WHERE payment_id = '{}'",
            order.payment_id
        ))
        .await;
    assert_eq!(told, 3, "created, confirmed, captured");
    for sql in [
        "UPDATE payment_event SET detail = ''",
        "DELETE FROM payment_event",
        "TRUNCATE payment_event",
    ] {
        assert!(
            refused_by(&shop, sql).await.contains("append-only"),
            "{sql}"
        );
    }
}
