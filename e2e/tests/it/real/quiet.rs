//! After quiesce: nothing is under way any more.

use super::RealMesh;

/// What is still under way in database `booking`.
const BOOKING: [(&str, &str); 6] = [
    (
        "live sagas",
        "SELECT saga_id, subject_id, state, step, attempts, last_error FROM saga WHERE state IN ('RUNNING', 'WAITING', 'COMPENSATING', 'PARKED')",
    ),
    (
        "holds that are being paid",
        "SELECT hold_id, state FROM hold WHERE state IN ('PAYING', 'CLOSING')",
    ),
    (
        "money on its way back",
        "SELECT cancellation_id, refund_amount FROM cancellation WHERE state <> 'DONE'",
    ),
    (
        "outbox",
        "SELECT id, type, attempts, last_error FROM outbox",
    ),
    (
        "messages to handle again",
        "SELECT consumer, type, attempts, last_error FROM retry_message",
    ),
    (
        "dead letters",
        "SELECT consumer, type, attempts, reason FROM dead_letter",
    ),
];

/// What is still under way in database `payment`.
const PAYMENT: [(&str, &str); 5] = [
    (
        "open payments",
        "SELECT payment_id, state, checks FROM payment WHERE state IN ('AWAITING_CUSTOMER', 'PROCESSING', 'UNKNOWN')",
    ),
    (
        "open refunds",
        "SELECT refund_id, state, attempts, last_error FROM refund WHERE state <> 'DONE'",
    ),
    (
        "outbox",
        "SELECT id, type, attempts, last_error FROM outbox",
    ),
    (
        "messages to handle again",
        "SELECT consumer, type, attempts, last_error FROM retry_message",
    ),
    (
        "dead letters",
        "SELECT consumer, type, attempts, reason FROM dead_letter",
    ),
];

/// What is still under way in database `coupon`.
const COUPON: [(&str, &str); 4] = [
    (
        "coupons that bookings hold",
        "SELECT reservation_id, booking_id FROM reservation WHERE state = 'RESERVED'",
    ),
    (
        "outbox",
        "SELECT id, type, attempts, last_error FROM outbox",
    ),
    (
        "messages to handle again",
        "SELECT consumer, type, attempts, last_error FROM retry_message",
    ),
    (
        "dead letters",
        "SELECT consumer, type, attempts, reason FROM dead_letter",
    ),
];

/// Longest time until a mesh is quiet.
const QUIET_WITHIN: std::time::Duration = std::time::Duration::from_secs(120);

impl RealMesh {
    /// Waits until nothing is under way; prints the rows that are when it takes too long.
    pub(crate) async fn quiesce(&self) {
        let wait = async {
            while !self.under_way().await.is_empty() {
                tokio::time::sleep(super::LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(QUIET_WITHIN, wait).await.is_err() {
            panic!("still under way:\n{}", self.under_way().await.join("\n"));
        }
    }

    /// Everything that is under way now, one row a line.
    pub(crate) async fn under_way(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, sql) in BOOKING {
            let rows = self.booking.rows(sql).await;
            found.extend(rows.iter().map(|row| format!("booking, {what}: {row}")));
        }
        for (what, sql) in PAYMENT {
            let rows = self.payment.rows(sql).await;
            found.extend(rows.iter().map(|row| format!("payment, {what}: {row}")));
        }
        for (what, sql) in COUPON {
            let rows = self.coupon.rows(sql).await;
            found.extend(rows.iter().map(|row| format!("coupon, {what}: {row}")));
        }
        if found.is_empty() {
            let depths = self.queues.depths().await;
            let full = depths.iter().filter(|(_, depth)| **depth > 0);
            found.extend(full.map(|(queue, depth)| format!("queue {queue}: {depth}")));
        }
        found
    }
}
