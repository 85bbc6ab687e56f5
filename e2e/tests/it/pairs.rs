//! Two instances of every service: they are restarted one after the other under load, and one of them sleeps through its leases.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use e2e::rest::{Answer, Call, Person};
use futures_util::future::join_all;
use mesh::identity::Role;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::matrix::story::Story;
use crate::real::{
    Gate, LOOK_AGAIN, RealMesh, Sale, Seats, ShowPlan, Timings, lines, on_site, until,
};
use booking_svc::saga::moments::Op;

/// Who is restarted, in this order.
const ROLLED: [&str; 4] = [
    "booking-svc",
    "booking-svc.2",
    "payment-svc",
    "payment-svc.2",
];
/// Buyers at the same time while services are restarted.
const BUYERS: usize = 6;
/// Seats of the house: more than are sold before the last restart ends.
const SEATS: u32 = 2_000;
/// Looks at one thing before it is given up.
const LOOKS: usize = 500;

/// What goes on while services are restarted.
struct Load<'a> {
    mesh: &'a RealMesh,
    sale: &'a Sale,
    seat: AtomicI64,
    over: AtomicBool,
    calls: AtomicUsize,
    sold: AtomicUsize,
    failed: Mutex<BTreeSet<String>>,
}

impl Load<'_> {
    /// Buys seat after seat until it is over.
    async fn buyer(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let buyer = self.mesh.person(&[Role::User]);
            let seat = self.seat.fetch_add(1, Ordering::Relaxed);
            if self.purchase(&buyer, seat).await.is_some() {
                self.sold.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn purchase(&self, buyer: &Person, seat: i64) -> Option<()> {
        let wish = lines(self.sale.pool_id, &[seat]);
        let hold = self
            .send(&Call::post("/v1/holds").by(buyer).json(&wish))
            .await?;
        let total = &hold.json["hold"]["total"];
        let body = on_site(hold.at("/hold/holdId"), total);
        let booking = self
            .send(&Call::post("/v1/bookings").by(buyer).json(&body))
            .await?;
        let path = format!("/v1/bookings/{}", booking.at("/booking/bookingId"));
        let booking = self
            .look(&Call::get(&path).by(buyer), |it| {
                it["booking"]["state"] == "BOOKING_STATE_AWAITING_PAYMENT"
            })
            .await?;
        let payment_id = booking.at("/booking/payment/paymentId");
        let amount: i64 = total["minorUnits"].as_str()?.parse().ok()?;
        let authorize = Call::post(format!("/sim/orders/{payment_id}/authorize"));
        let authorize = authorize.json(&json!({"amount": amount, "outcome": "approve"}));
        let key = self
            .mesh
            .simulator
            .send(&authorize)
            .await
            .ok()?
            .at("/paymentKey");
        let confirm = Call::post(format!("/v1/payments/{payment_id}:confirm")).by(buyer);
        self.send(&confirm.json(&json!({"paymentKey": key, "amount": total})))
            .await?;
        let tickets = Call::get(format!("{path}/tickets")).by(buyer);
        self.look(&tickets, |it| {
            it["tickets"]
                .as_array()
                .is_some_and(|tickets| tickets.len() == 1)
        })
        .await?;
        Some(())
    }

    /// Looks again until `seen`.
    async fn look(&self, call: &Call, seen: impl Fn(&Value) -> bool) -> Option<Answer> {
        for _ in 0..LOOKS {
            let answer = self.send(call).await?;
            if seen(&answer.json) {
                return Some(answer);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.failed
            .lock()
            .await
            .insert(format!("never seen: {}", call.title()));
        None
    }

    /// Sends a call once; whatever is not answered well is a failure.
    async fn send(&self, call: &Call) -> Option<Answer> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let problem = match self.mesh.rest.send(call).await {
            Ok(answer) if answer.is_ok() => return Some(answer),
            Ok(answer) => format!("{}: {} {}", call.title(), answer.status, answer.text),
            Err(error) => format!("{}: {error}", call.title()),
        };
        self.failed.lock().await.insert(problem);
        None
    }
}

#[expect(clippy::print_stdout, reason = "how much went on, under --nocapture")]
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_fails_no_request() {
    let mut mesh = RealMesh::start_pairs(Timings::Standard).await;
    let plan = ShowPlan {
        seats: Seats::Row(SEATS),
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let mut rolled = ROLLED.map(|name| mesh.take(name));
    let load = Load {
        mesh: &mesh,
        sale: &sale,
        seat: AtomicI64::new(0),
        over: AtomicBool::new(false),
        calls: AtomicUsize::new(0),
        sold: AtomicUsize::new(0),
        failed: Mutex::default(),
    };
    let restarts = async {
        for process in &mut rolled {
            let before = load.sold.load(Ordering::Relaxed);
            process.signal("TERM");
            process.ended().await;
            process.start_again().await;
            process.ready().await;
            until("sales go on", async || {
                (load.sold.load(Ordering::Relaxed) > before + BUYERS).then_some(())
            })
            .await;
        }
        load.over.store(true, Ordering::Relaxed);
    };
    let buyers = join_all((0..BUYERS).map(|_| load.buyer()));
    tokio::join!(restarts, buyers);
    let failed = load.failed.lock().await;
    let (calls, sold) = (
        load.calls.load(Ordering::Relaxed),
        load.sold.load(Ordering::Relaxed),
    );
    println!("{calls} calls, {sold} seats sold, {} failed", failed.len());
    assert!(
        failed.is_empty(),
        "{} of {calls} calls failed: {failed:#?}",
        failed.len()
    );
    mesh.quiesce().await;
    mesh.audit().await;
}

/// payment-svc does not get its payments written, so whoever opens one waits.
const OPENING: Gate = Gate {
    statement: "INSERT ON payment",
    rows: "true",
};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_slept_through_its_lease_writes_nothing() {
    let mesh = RealMesh::start_pairs(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let story = Story::new(mesh.person(&[Role::User]), sale.pool_id, 1, Op::Do);
    OPENING.close(&mesh.payment).await;
    let put_to_sleep = async {
        let owner = until("somebody has the saga", async || {
            let owners = mesh
                .booking
                .texts("SELECT lease_owner FROM saga WHERE lease_owner IS NOT NULL");
            owners.await.pop()
        })
        .await;
        let ours = format!("leases are taken as {owner}");
        let names = ["booking-svc", "booking-svc.2"];
        let mut processes = names.iter().map(|name| mesh.process(name));
        let sleeper = processes.find(|process| process.logged(&ours)).unwrap();
        sleeper.signal("STOP");
        // Half a minute later.
        mesh.booking
            .run("UPDATE saga SET lease_until = now()")
            .await;
        OPENING.open(&mesh.payment).await;
        sleeper
    };
    let ((), sleeper) = tokio::join!(story.tell(&mesh), put_to_sleep);
    let before = mesh.tables().await;
    let timeline = "SELECT count(*) FROM saga_event";
    let events = mesh.booking.number(timeline).await;
    sleeper.signal("CONT");
    until("it finds that the saga is somebody else's", async || {
        sleeper.logged("is somebody else's now").then_some(())
    })
    .await;
    mesh.quiesce().await;
    assert_eq!(
        mesh.booking.number(timeline).await,
        events,
        "entries of the timeline"
    );
    let after = mesh.tables().await;
    for (table, digest) in &before {
        let emptied = table.ends_with(".outbox") || table.ends_with(".retry_message");
        assert!(
            emptied || after[table] == *digest,
            "{table}: {digest}, then {}",
            after[table]
        );
    }
    mesh.audit().await;
}
