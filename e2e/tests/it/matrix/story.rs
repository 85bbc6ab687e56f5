//! A buyer with patience: every call is repeated, with its key, until it is answered.

use e2e::rest::{Answer, Call, Person};
use serde_json::{Value, json};
use uuid::Uuid;

use booking_svc::saga::moments::Op;

use crate::real::{Order, RealMesh, id_at, lines, on_site, until};

/// Answers that mean: the same call once more.
const AGAIN: [u16; 5] = [409, 429, 500, 503, 504];
/// What a seat costs, in won.
const PRICE: i64 = 50_000;
/// What a coupon takes off, in won.
pub(crate) const COUPON: i64 = 5_000;
/// How long the repeated question of another tab is waited for.
const GLANCE: std::time::Duration = std::time::Duration::from_secs(3);

/// What a buyer does: buys a seat, or gives up before paying.
pub(crate) struct Story {
    pub(crate) buyer: Person,
    pool_id: Uuid,
    seat: i64,
    op: Op,
    /// Campaign whose coupon the buyer uses.
    campaign_id: Option<Uuid>,
    /// Keys of HoldUnits, CreateBooking and CancelBooking or ConfirmPayment.
    keys: [Uuid; 3],
}

impl Story {
    pub(crate) fn new(buyer: Person, pool_id: Uuid, seat: i64, op: Op) -> Self {
        Self {
            buyer,
            pool_id,
            seat,
            op,
            campaign_id: None,
            keys: [mesh::id::new(), mesh::id::new(), mesh::id::new()],
        }
    }

    /// The buyer uses a coupon of this campaign, which is worth [`COUPON`].
    pub(crate) fn with_coupon(self, campaign_id: Uuid) -> Self {
        Self {
            campaign_id: Some(campaign_id),
            ..self
        }
    }

    /// From the hold to the end.
    pub(crate) async fn tell(&self, mesh: &RealMesh) {
        let hold = insist(mesh, &self.hold()).await;
        if let Some(campaign_id) = self.campaign_id {
            mesh.coupon(&self.buyer, campaign_id).await;
        }
        let total = self.total();
        let booking = insist(mesh, &self.book(&total)).await;
        let booking_id = id_at(&booking, "/booking/bookingId");
        let booking = self.reaches(mesh, booking_id, "BOOKING_STATE_AWAITING_PAYMENT");
        let order = Order {
            hold_id: id_at(&hold, "/hold/holdId"),
            booking_id,
            payment_id: id_at(&booking.await, "/booking/payment/paymentId"),
            total,
        };
        match self.op {
            Op::Do => self.pay(mesh, &order).await,
            Op::Undo => self.give_up(mesh, &order).await,
        }
    }

    async fn pay(&self, mesh: &RealMesh, order: &Order) {
        let key = mesh.authorize(order, "approve").await;
        let confirm = mesh.confirmation(&self.buyer, order, &key);
        insist(mesh, &confirm.key(self.keys[2])).await;
        mesh.tickets(&self.buyer, order.booking_id, 1).await;
    }

    async fn give_up(&self, mesh: &RealMesh, order: &Order) {
        insist(mesh, &self.cancel(order.booking_id)).await;
        self.reaches(mesh, order.booking_id, "BOOKING_STATE_FAILED")
            .await;
        let hold = Call::get(format!("/v1/holds/{}", order.hold_id)).by(&self.buyer);
        until("the hold is given back", async || {
            let answer = mesh.rest.send(&hold).await.ok()?;
            (answer.at("/hold/state") == "HOLD_STATE_RELEASED").then_some(())
        })
        .await;
    }

    /// The same questions from another tab.
    pub(crate) async fn ask_again(&self, mesh: &RealMesh) {
        let sql = format!(
            "SELECT booking_id, total_amount FROM booking WHERE account_id = '{}'",
            self.buyer.account_id
        );
        let total = self.total();
        let mut calls = vec![self.book(&total)];
        if let (Op::Undo, Some(row)) = (self.op, mesh.booking.rows(&sql).await.pop()) {
            calls.push(self.cancel(crate::real::id_in(&row["booking_id"])));
        }
        for call in calls {
            // It may have to wait for the halted one.
            drop(tokio::time::timeout(GLANCE, mesh.rest.send(&call)).await);
        }
    }

    /// What the seat costs the buyer.
    fn total(&self) -> Value {
        let coupon = self.campaign_id.map_or(0, |_| COUPON);
        json!({"minorUnits": (PRICE - coupon).to_string(), "currency": "KRW"})
    }

    fn hold(&self) -> Call {
        let call = Call::post("/v1/holds").by(&self.buyer).key(self.keys[0]);
        call.json(&lines(self.pool_id, &[self.seat]))
    }

    fn book(&self, total: &Value) -> Call {
        // The hold has the id of its request.
        let mut body = on_site(self.keys[0].to_string(), total);
        if self.campaign_id.is_some() {
            body["coupons"] = json!({"best": {}});
        }
        let call = Call::post("/v1/bookings").by(&self.buyer);
        call.key(self.keys[1]).json(&body)
    }

    fn cancel(&self, booking_id: Uuid) -> Call {
        let call = Call::post(format!("/v1/bookings/{booking_id}:cancel"));
        call.by(&self.buyer).key(self.keys[2]).json(&json!({}))
    }

    async fn reaches(&self, mesh: &RealMesh, booking_id: Uuid, state: &str) -> Answer {
        mesh.reaches(&self.buyer, booking_id, state).await
    }
}

/// Sends a call until it is answered well.
async fn insist(mesh: &RealMesh, call: &Call) -> Answer {
    until(&format!("{} succeeds", call.title()), async || {
        let answer = mesh.rest.send(call).await.ok()?;
        assert!(
            answer.is_ok() || AGAIN.contains(&answer.status),
            "{}: {} {}",
            call.title(),
            answer.status,
            answer.text
        );
        answer.is_ok().then_some(answer)
    })
    .await
}
