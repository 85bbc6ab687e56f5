//! The standing audit: what has to be true of the tables at any quiet moment.

use std::collections::BTreeMap;

use e2e::rest::Call;
use serde_json::Value;

use super::RealMesh;

/// Contradictions inside of database `booking`.
pub(crate) const BOOKING: &str = include_str!("../../../../booking-svc/audit.sql");
/// Contradictions inside of database `payment`.
pub(crate) const PAYMENT: &str = include_str!("../../../../payment-svc/audit.sql");

/// Contradictions inside of database `coupon`.
pub(crate) const COUPON: &str = include_str!("../../../../coupon-svc/audit.sql");

impl RealMesh {
    /// Fails on the first thing that contradicts another: inside the tables, between the services, and with what the provider did.
    pub(crate) async fn audit(&self) {
        for (storage, sql) in [
            (&self.booking, BOOKING),
            (&self.payment, PAYMENT),
            (&self.coupon, COUPON),
        ] {
            let found = storage.rows(sql.trim_end().trim_end_matches(';')).await;
            assert!(found.is_empty(), "not true: {found:?}");
        }
        self.audit_money().await;
    }

    /// Captured money ends in exactly one of: what is left of a confirmed booking, or a refund.
    async fn audit_money(&self) {
        let bookings = self
            .booking
            .rows(
                "SELECT payment_id, state, total_amount - coalesce((SELECT sum(c.refund_amount) FROM cancellation c
                    WHERE c.booking_id = b.booking_id), 0)::bigint AS kept_amount FROM booking b WHERE method = 'ON_SITE'",
            )
            .await;
        let bookings: BTreeMap<String, &Value> = bookings
            .iter()
            .map(|row| (text(row, "payment_id"), row))
            .collect();
        let payments = self
            .payment
            .rows("SELECT payment_id, captured_amount, refunded_amount FROM payment WHERE provider IS NOT NULL")
            .await;
        let payments: BTreeMap<String, &Value> = payments
            .iter()
            .map(|row| (text(row, "payment_id"), row))
            .collect();
        for (order_id, order) in self.orders().await {
            let (captured, refunded) = (number(&order, "captured"), number(&order, "refunded"));
            let payment = payments.get(&order_id).copied().unwrap_or(&Value::Null);
            let told = (
                number(payment, "captured_amount"),
                number(payment, "refunded_amount"),
            );
            assert_eq!(told, (captured, refunded), "payment {order_id} and {order}");
            let booking = bookings.get(&order_id).copied().unwrap_or(&Value::Null);
            let kept = if text(booking, "state") == "CONFIRMED" {
                number(booking, "kept_amount")
            } else {
                0
            };
            assert_eq!(captured - refunded, kept, "booking {booking} and {order}");
        }
    }

    /// Every order that the simulator knows.
    pub(crate) async fn orders(&self) -> BTreeMap<String, Value> {
        let mut orders = BTreeMap::new();
        let mut after = String::new();
        loop {
            let call = Call::get(format!("/oracle/orders?after={after}"));
            let page = self.simulator.send(&call).await.unwrap();
            let listed = page.json["orders"].as_array().unwrap().iter();
            orders.extend(listed.map(|order| (text(order, "orderId"), order.clone())));
            match page.json["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return orders,
            }
        }
    }
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

fn number(row: &Value, name: &str) -> i64 {
    row[name].as_i64().unwrap_or_default()
}
