//! A thousand people want three hundred seats at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::rest::{Answer, Call, Person};
use futures_util::{StreamExt, stream};
use mesh::identity::Role;
use serde_json::{Value, json};
use uuid::Uuid;

mod agree;

use crate::chance::Chance;
use crate::real::{RealMesh, Sale, Seats, ShowPlan, Timings, id_at, id_in, until};

const BUYERS: u64 = 1_000;
const SEATS: usize = 300;
/// People who are at it at the same time.
const AT_ONCE: usize = 96;
/// Wishes of a buyer before it takes whatever is left.
const WISHES: usize = 4;
/// Refusals with UNITS_TAKEN below which this was no storm.
const TAKEN_MIN: usize = 500;
/// What the choices and the cards are drawn from.
const SEED: u64 = 20_260_101;

/// What a buyer got, by the HTTP answers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Purchase {
    account_id: Uuid,
    hold_id: Uuid,
    booking_id: Uuid,
    payment_id: Uuid,
    total: i64,
    units: BTreeSet<i64>,
    tickets: BTreeSet<(Uuid, i64)>,
}

/// What the storm counts while it blows.
#[derive(Default)]
struct Counts {
    taken: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

struct Storm<'a> {
    mesh: &'a RealMesh,
    sale: &'a Sale,
    counts: Counts,
}

#[expect(
    clippy::print_stdout,
    reason = "what a storm was like, under --nocapture"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_buyers_get_three_hundred_seats_once_each() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let plan = ShowPlan {
        seats: Seats::Plan,
        units_per_buyer_max: 2,
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let storm = Storm {
        mesh: &mesh,
        sale: &sale,
        counts: Counts::default(),
    };
    let answers: Vec<Option<Purchase>> = stream::iter(0..BUYERS)
        .map(|number| storm.buyer(number))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert_eq!(answers.len(), 1_000, "everybody has a final answer");
    let purchases: BTreeSet<Purchase> = answers.into_iter().flatten().collect();
    let taken = storm.counts.taken.load(Ordering::Relaxed);
    let most = storm.counts.most_in_flight.load(Ordering::Relaxed);
    println!(
        "seed {SEED}: {} purchases, {taken} times UNITS_TAKEN, {most} calls at once",
        purchases.len()
    );
    assert!(taken >= TAKEN_MIN, "{taken} refusals: that was no storm");
    assert!(most >= 64, "{most} calls at once");
    let sold: Vec<i64> = purchases
        .iter()
        .flat_map(|p| p.units.iter().copied())
        .collect();
    assert_eq!(sold.len(), SEATS, "every seat is sold");
    assert_eq!(
        sold.iter().collect::<BTreeSet<_>>().len(),
        SEATS,
        "to one buyer each"
    );
    mesh.quiesce().await;
    mesh.audit().await;
    agree::agree(&mesh, &sale, &purchases).await;
}

impl Storm<'_> {
    /// One buyer: some wishes, then whatever is left, until tickets or sold out.
    async fn buyer(&self, number: u64) -> Option<Purchase> {
        let mut chance = Chance::new(SEED + number);
        let buyer = self.mesh.person(&[Role::User]);
        for _ in 0..WISHES {
            let wish = wish(&mut chance);
            if let Some(hold) = self.hold(&buyer, &wish).await {
                return Some(self.purchase(&buyer, &hold, &mut chance).await);
            }
        }
        while let Some(left) = self.any_left(&mut chance).await {
            if let Some(hold) = self.hold(&buyer, &[left]).await {
                return Some(self.purchase(&buyer, &hold, &mut chance).await);
            }
        }
        None
    }

    /// The hold, or nothing when others have a unit.
    async fn hold(&self, buyer: &Person, units: &[i64]) -> Option<Answer> {
        let lines: Vec<Value> = units
            .iter()
            .map(|ord| json!({"poolId": self.sale.pool_id, "ord": ord}))
            .collect();
        let call = Call::post("/v1/holds")
            .by(buyer)
            .json(&json!({ "lines": lines }));
        let answer = self.send(&call).await;
        if answer.reason() == "UNITS_TAKEN" {
            self.counts.taken.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        Some(answer)
    }

    /// A seat that somebody could still get; nothing when all are sold.
    async fn any_left(&self, chance: &mut Chance) -> Option<i64> {
        let path = format!("/v1/pools/{}/units?pageSize=1000", self.sale.pool_id);
        let answer = self.send(&Call::get(path)).await;
        let units = answer.json["units"].as_array().unwrap();
        let open: Vec<i64> = units
            .iter()
            .filter(|unit| unit["state"] != "UNIT_STATE_SOLD_OUT")
            .filter_map(|unit| unit["ord"].as_i64())
            .collect();
        let at = chance.below(open.len().max(1));
        open.get(at).copied()
    }

    async fn purchase(&self, buyer: &Person, hold: &Answer, chance: &mut Chance) -> Purchase {
        let total = hold.json["hold"]["total"].clone();
        let body = json!({"holdId": hold.at("/hold/holdId"), "expectedTotal": total, "payment": {"onSite": {"provider": "toss"}}});
        let call = Call::post("/v1/bookings").by(buyer).json(&body);
        let booking = self.send(&call).await;
        assert_eq!(booking.status, 200, "{}", booking.text);
        let booking_id = id_at(&booking, "/booking/bookingId");
        let booking = self
            .reaches(buyer, booking_id, "BOOKING_STATE_AWAITING_PAYMENT")
            .await;
        let payment_id = id_at(&booking, "/booking/payment/paymentId");
        if chance.below(10) == 0 {
            self.pay(buyer, payment_id, &total, "decline_retry").await;
        }
        self.pay(buyer, payment_id, &total, "approve").await;
        let booking = self
            .reaches(buyer, booking_id, "BOOKING_STATE_CONFIRMED")
            .await;
        let lines = booking.json["booking"]["lines"].as_array().unwrap();
        let units: BTreeSet<i64> = lines
            .iter()
            .filter_map(|line| line["ord"].as_i64())
            .collect();
        Purchase {
            account_id: buyer.account_id,
            hold_id: id_at(hold, "/hold/holdId"),
            booking_id,
            payment_id,
            total: minor_units(&total),
            tickets: self.tickets(buyer, booking_id, units.len()).await,
            units,
        }
    }

    async fn pay(&self, buyer: &Person, payment_id: Uuid, total: &Value, outcome: &str) {
        let body = json!({"amount": minor_units(total), "outcome": outcome});
        let call = Call::post(format!("/sim/orders/{payment_id}/authorize")).json(&body);
        let key = self.mesh.simulator.send(&call).await.unwrap();
        let body = json!({"paymentKey": key.at("/paymentKey"), "amount": total});
        let call = Call::post(format!("/v1/payments/{payment_id}:confirm"))
            .by(buyer)
            .json(&body);
        let answer = self.send(&call).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn reaches(&self, buyer: &Person, booking_id: Uuid, state: &str) -> Answer {
        let call = Call::get(format!("/v1/bookings/{booking_id}")).by(buyer);
        until(&format!("booking {booking_id} is {state}"), async || {
            let answer = self.send(&call).await;
            let now = answer.at("/booking/state");
            assert_ne!(now, "BOOKING_STATE_FAILED", "{}", answer.text);
            (now == state).then_some(answer)
        })
        .await
    }

    async fn tickets(
        &self,
        buyer: &Person,
        booking_id: Uuid,
        count: usize,
    ) -> BTreeSet<(Uuid, i64)> {
        let call = Call::get(format!("/v1/bookings/{booking_id}/tickets")).by(buyer);
        until(
            &format!("booking {booking_id} has its tickets"),
            async || {
                let answer = self.send(&call).await;
                let tickets = answer.json["tickets"].as_array().unwrap();
                let found: BTreeSet<_> = tickets
                    .iter()
                    .map(|ticket| (id_in(&ticket["ticketId"]), ticket["ord"].as_i64().unwrap()))
                    .collect();
                (found.len() == count).then_some(found)
            },
        )
        .await
    }

    /// Sends a call as a patient client does: what asks to be repeated is repeated, with the same key.
    async fn send(&self, call: &Call) -> Answer {
        until(&call.title(), async || {
            let now = self.counts.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
            self.counts.most_in_flight.fetch_max(now, Ordering::Relaxed);
            let answer = self.mesh.rest.send(call).await.unwrap();
            self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
            (!matches!(answer.status, 409 | 429 | 503 | 504)).then_some(answer)
        })
        .await
    }
}

/// One or two seats, those in front more often than those behind.
fn wish(chance: &mut Chance) -> Vec<i64> {
    let front = |chance: &mut Chance| chance.below(SEATS).min(chance.below(SEATS));
    let first = front(chance);
    let mut wish = vec![i64::try_from(first).unwrap()];
    if chance.below(2) == 0 && first + 1 < SEATS {
        wish.push(i64::try_from(first + 1).unwrap());
    }
    wish
}

fn minor_units(money: &Value) -> i64 {
    money["minorUnits"].as_str().unwrap().parse().unwrap()
}
