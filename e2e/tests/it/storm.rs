//! A thousand people want three hundred seats at once; once with nothing in the way, once while services and broker are killed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::rest::{Answer, Call, Person};
use futures_util::{StreamExt, stream};
use mesh::identity::Role;
use serde_json::{Value, json};
use uuid::Uuid;

mod agree;
mod kills;

use crate::chance::Chance;
use crate::real::{LOOK_AGAIN, RealMesh, Sale, Seats, ShowPlan, Timings, id_at, id_in, until};

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
    /// Purchases that came to nothing.
    failed: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

struct Storm<'a> {
    mesh: &'a RealMesh,
    sale: &'a Sale,
    counts: Counts,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_buyers_get_three_hundred_seats_once_each() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let plan = ShowPlan {
        seats: Seats::Plan,
        units_per_buyer_max: 2,
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let storm = Storm::over(&mesh, &sale);
    let purchases = storm.blow().await;
    let failed = storm.counts.failed.load(Ordering::Relaxed);
    assert_eq!(failed, 0, "purchases that came to nothing");
    let most = storm.counts.most_in_flight.load(Ordering::Relaxed);
    assert!(most >= 64, "{most} calls at once");
    storm.settle(&purchases).await;
}

impl<'a> Storm<'a> {
    fn over(mesh: &'a RealMesh, sale: &'a Sale) -> Self {
        Self {
            mesh,
            sale,
            counts: Counts::default(),
        }
    }

    /// Lets everybody buy; answers who got what, by the HTTP answers alone.
    #[expect(
        clippy::print_stdout,
        reason = "what a storm was like, under --nocapture"
    )]
    async fn blow(&self) -> BTreeSet<Purchase> {
        let answers: Vec<Option<Purchase>> = stream::iter(0..BUYERS)
            .map(|number| self.buyer(number))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        assert_eq!(answers.len(), 1_000, "everybody has a final answer");
        let purchases: BTreeSet<Purchase> = answers.into_iter().flatten().collect();
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let taken = count(&self.counts.taken);
        println!(
            "seed {SEED}: {} purchases, {taken} times UNITS_TAKEN, {} failed, {} calls at once",
            purchases.len(),
            count(&self.counts.failed),
            count(&self.counts.most_in_flight)
        );
        assert!(taken >= TAKEN_MIN, "{taken} refusals: that was no storm");
        purchases
    }

    /// Every seat is sold to one buyer, and everybody says the same of it.
    async fn settle(&self, purchases: &BTreeSet<Purchase>) {
        let units = purchases.iter().flat_map(|p| p.units.iter().copied());
        let sold: Vec<i64> = units.collect();
        assert_eq!(sold.len(), SEATS, "every seat is sold");
        let different: BTreeSet<&i64> = sold.iter().collect();
        assert_eq!(different.len(), SEATS, "to one buyer each");
        self.mesh.quiesce().await;
        self.mesh.audit().await;
        agree::agree(self.mesh, self.sale, purchases).await;
    }

    /// One buyer: some wishes, then whatever is left, until tickets or sold out.
    async fn buyer(&self, number: u64) -> Option<Purchase> {
        let mut chance = Chance::new(SEED + number);
        let buyer = self.mesh.person(&[Role::User]);
        for _ in 0..WISHES {
            let wish = wish(&mut chance);
            if let Some(purchase) = self.attempt(&buyer, &wish, &mut chance).await {
                return Some(purchase);
            }
        }
        while let Some(left) = self.any_left(&mut chance).await {
            if let Some(purchase) = self.attempt(&buyer, &[left], &mut chance).await {
                return Some(purchase);
            }
        }
        None
    }

    async fn attempt(&self, buyer: &Person, wish: &[i64], chance: &mut Chance) -> Option<Purchase> {
        let hold = self.hold(buyer, wish).await?;
        let purchase = self.purchase(buyer, &hold, chance).await;
        if purchase.is_none() {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        purchase
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
        match answer.reason().as_str() {
            "UNITS_TAKEN" => {
                self.counts.taken.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            // What came to nothing may still be on its way back.
            "BUYER_CAP_REACHED" => {
                tokio::time::sleep(LOOK_AGAIN).await;
                return None;
            }
            _ => assert_eq!(answer.status, 200, "{}", answer.text),
        }
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

    /// From the hold to the tickets; nothing when it was not paid in time.
    async fn purchase(
        &self,
        buyer: &Person,
        hold: &Answer,
        chance: &mut Chance,
    ) -> Option<Purchase> {
        let total = hold.json["hold"]["total"].clone();
        let body = json!({"holdId": hold.at("/hold/holdId"), "expectedTotal": total, "payment": {"onSite": {"provider": "toss"}}});
        let call = Call::post("/v1/bookings").by(buyer).json(&body);
        let booking = self.send(&call).await;
        if booking.reason() == "HOLD_EXPIRED" {
            return None;
        }
        assert_eq!(booking.status, 200, "{}", booking.text);
        let booking_id = id_at(&booking, "/booking/bookingId");
        let booking = self
            .reaches(buyer, booking_id, "BOOKING_STATE_AWAITING_PAYMENT")
            .await?;
        let payment_id = id_at(&booking, "/booking/payment/paymentId");
        if chance.below(10) == 0 {
            self.pay(buyer, payment_id, &total, "decline_retry").await;
        }
        self.pay(buyer, payment_id, &total, "approve").await;
        let booking = self
            .reaches(buyer, booking_id, "BOOKING_STATE_CONFIRMED")
            .await?;
        let lines = booking.json["booking"]["lines"].as_array().unwrap();
        let units: BTreeSet<i64> = lines
            .iter()
            .filter_map(|line| line["ord"].as_i64())
            .collect();
        Some(Purchase {
            account_id: buyer.account_id,
            hold_id: id_at(hold, "/hold/holdId"),
            booking_id,
            payment_id,
            total: minor_units(&total),
            tickets: self.tickets(buyer, booking_id, units.len()).await,
            units,
        })
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
        let late = answer.reason() == "PAYMENT_EXPIRED";
        assert!(late || answer.status == 200, "{}", answer.text);
    }

    /// The booking in `state`, or nothing when it failed.
    async fn reaches(&self, buyer: &Person, booking_id: Uuid, state: &str) -> Option<Answer> {
        let call = Call::get(format!("/v1/bookings/{booking_id}")).by(buyer);
        until(&format!("booking {booking_id} is {state}"), async || {
            let answer = self.send(&call).await;
            match answer.at("/booking/state").as_str() {
                "BOOKING_STATE_FAILED" => Some(None),
                now => (now == state).then_some(Some(answer)),
            }
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
