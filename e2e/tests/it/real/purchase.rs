//! The steps of a buyer, each of which has to succeed.

use e2e::rest::{Answer, Call, Person};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{RealMesh, id_at, until};

/// A booking that waits for its money.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) hold_id: Uuid,
    pub(crate) booking_id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) total: Value,
}

/// The body of HoldUnits for one place of each unit.
pub(crate) fn lines(pool_id: Uuid, units: &[i64]) -> Value {
    let line = |ord: &i64| json!({"poolId": pool_id, "ord": ord});
    json!({"lines": units.iter().map(line).collect::<Vec<_>>()})
}

/// The body of CreateBooking with a payment on site.
pub(crate) fn on_site(hold_id: impl Into<Value>, total: &Value) -> Value {
    json!({"holdId": hold_id.into(), "expectedTotal": total, "payment": {"onSite": {"provider": "toss"}}})
}

impl RealMesh {
    /// Holds units.
    pub(crate) async fn hold(&self, buyer: &Person, pool_id: Uuid, units: &[i64]) -> Answer {
        let call = Call::post("/v1/holds").by(buyer);
        self.ask(&call.json(&lines(pool_id, units))).await
    }

    /// Holds units and opens a payment for them.
    pub(crate) async fn order(&self, buyer: &Person, pool_id: Uuid, units: &[i64]) -> Order {
        let hold = self.hold(buyer, pool_id, units).await;
        self.book(buyer, &hold).await
    }

    /// Opens a payment for a hold.
    pub(crate) async fn book(&self, buyer: &Person, hold: &Answer) -> Order {
        let total = hold.json["hold"]["total"].clone();
        let body = on_site(hold.at("/hold/holdId"), &total);
        let call = Call::post("/v1/bookings").by(buyer).json(&body);
        let booking_id = id_at(&self.ask(&call).await, "/booking/bookingId");
        let booking = self
            .reaches(buyer, booking_id, "BOOKING_STATE_AWAITING_PAYMENT")
            .await;
        Order {
            hold_id: id_at(hold, "/hold/holdId"),
            booking_id,
            payment_id: id_at(&booking, "/booking/payment/paymentId"),
            total,
        }
    }

    /// What the buyer does in the provider's widget: answers a payment key.
    pub(crate) async fn authorize(&self, order: &Order, outcome: &str) -> String {
        let amount: i64 = order.total["minorUnits"].as_str().unwrap().parse().unwrap();
        let call = Call::post(format!("/sim/orders/{}/authorize", order.payment_id))
            .json(&json!({"amount": amount, "outcome": outcome}));
        let answer = self.simulator.send(&call).await.unwrap();
        assert!(answer.is_ok(), "{}", answer.text);
        answer.at("/paymentKey")
    }

    /// Confirms a payment with a key of the provider.
    pub(crate) fn confirmation(&self, buyer: &Person, order: &Order, payment_key: &str) -> Call {
        let body = json!({"paymentKey": payment_key, "amount": order.total});
        let path = format!("/v1/payments/{}:confirm", order.payment_id);
        Call::post(path).by(buyer).json(&body)
    }

    /// Pays, with whatever outcome; answers the key.
    pub(crate) async fn pay(&self, buyer: &Person, order: &Order, outcome: &str) -> String {
        let key = self.authorize(order, outcome).await;
        self.ask(&self.confirmation(buyer, order, &key)).await;
        key
    }

    /// Waits until a booking is in `state`.
    pub(crate) async fn reaches(&self, buyer: &Person, booking_id: Uuid, state: &str) -> Answer {
        let call = Call::get(format!("/v1/bookings/{booking_id}")).by(buyer);
        until(&format!("booking {booking_id} is {state}"), async || {
            let answer = self.rest.send(&call).await.ok()?;
            (answer.at("/booking/state") == state).then_some(answer)
        })
        .await
    }

    /// Waits until a booking has so many tickets.
    pub(crate) async fn tickets(&self, buyer: &Person, booking_id: Uuid, count: usize) -> Answer {
        let call = Call::get(format!("/v1/bookings/{booking_id}/tickets")).by(buyer);
        until(
            &format!("booking {booking_id} has {count} tickets"),
            async || {
                let answer = self.rest.send(&call).await.ok()?;
                let found = answer.json["tickets"].as_array().map_or(0, Vec::len);
                (found == count).then_some(answer)
            },
        )
        .await
    }
}
