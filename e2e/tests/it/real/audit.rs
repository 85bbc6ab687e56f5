//! The standing audit: what has to be true of the tables at any quiet moment.

use std::collections::BTreeMap;

use e2e::rest::Call;
use serde_json::Value;

use super::RealMesh;

/// Contradictions inside of database `booking`: each query finds none.
const BOOKING: [(&str, &str); 7] = [
    (
        "a unit counts what its claims hold",
        "SELECT u.pool_id, u.ord, u.held, u.sold FROM inv_unit u LEFT JOIN claim c USING (pool_id, ord) GROUP BY u.pool_id, u.ord
         HAVING u.held <> coalesce(sum(c.quantity) FILTER (WHERE c.state = 'HELD'), 0)
             OR u.sold <> coalesce(sum(c.quantity) FILTER (WHERE c.state = 'SOLD'), 0)",
    ),
    (
        "nothing is sold beyond its capacity",
        "SELECT pool_id, ord FROM inv_unit WHERE held + sold + blocked > capacity + overbook",
    ),
    (
        "a claim stands where its hold stands",
        "SELECT c.hold_id, h.state, c.state AS claim FROM claim c JOIN hold h USING (hold_id) WHERE c.state <>
         CASE WHEN h.state IN ('HELD', 'PAYING', 'CLOSING') THEN 'HELD' WHEN h.state = 'CONFIRMED' THEN 'SOLD' ELSE 'FREED' END",
    ),
    (
        "a buyer has taken what the claims of the show say",
        "SELECT b.show_id, b.buyer, b.taken FROM buyer_cap b WHERE b.taken <>
         (SELECT coalesce(sum(c.quantity), 0) FROM claim c JOIN hold h USING (hold_id) JOIN inv_pool p USING (pool_id)
          WHERE p.show_id = b.show_id AND coalesce(h.buyer_reference, h.account_id::text) = b.buyer AND c.state IN ('HELD', 'SOLD'))",
    ),
    (
        "a confirmed hold has a confirmed booking",
        "SELECT h.hold_id FROM hold h LEFT JOIN booking b ON b.hold_id = h.hold_id AND b.state = 'CONFIRMED'
         WHERE (h.state = 'CONFIRMED') <> (b.booking_id IS NOT NULL)",
    ),
    (
        "a confirmed line has its tickets, no other line has any",
        "SELECT l.booking_id, l.line_no, b.state, l.quantity, count(t.ticket_id) AS tickets FROM booking_line l JOIN booking b USING (booking_id)
         LEFT JOIN ticket t ON t.booking_id = l.booking_id AND t.line_no = l.line_no AND t.state = 'ACTIVE'
         GROUP BY l.booking_id, l.line_no, b.state
         HAVING count(t.ticket_id) <> CASE WHEN b.state = 'CONFIRMED' THEN l.quantity ELSE 0 END",
    ),
    (
        "a ticket admits to the unit of its line",
        "SELECT t.ticket_id FROM ticket t JOIN booking_line l USING (booking_id, line_no)
         WHERE t.ord <> l.ord OR t.pool_id <> l.pool_id OR t.performance_id <> l.performance_id",
    ),
];

impl RealMesh {
    /// Fails on the first thing that contradicts another: inside the tables, between the services, and with what the provider did.
    pub(crate) async fn audit(&self) {
        for (rule, sql) in BOOKING {
            let found = self.booking.rows(sql).await;
            assert!(found.is_empty(), "not true: {rule}: {found:?}");
        }
        self.audit_money().await;
    }

    /// Captured money ends in exactly one of: a confirmed booking, or a refund of all of it.
    async fn audit_money(&self) {
        let bookings = self
            .booking
            .rows("SELECT payment_id, state, total_amount FROM booking WHERE method = 'ON_SITE'")
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
                number(booking, "total_amount")
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
