//! The same storm while booking-svc and payment-svc are killed again and again, and the broker once.

use std::time::Duration;

use super::{SEATS, Storm};
use crate::kills::kill_broker;
use crate::real::{LOOK_AGAIN, Process, RealMesh, Seats, ShowPlan, Timings};

/// Who is killed, and how many seats have to be sold before: between 10 and 90 of 100.
const KILLS: [(Victim, usize); 6] = [
    (Victim::Booking, 45),
    (Victim::Payment, 90),
    (Victim::Booking, 120),
    (Victim::Broker, 150),
    (Victim::Payment, 190),
    (Victim::Booking, 220),
];
/// More sold than this is too late for a kill.
const SOLD_MAX: usize = SEATS * 9 / 10;
/// Kills that have to meet a payment between its INTENT and its OK.
const WHILE_PAYING_MIN: usize = 2;
/// Longest time until the next seats are sold.
const NEXT_WITHIN: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Booking,
    Payment,
    Broker,
}

/// Sagas that still have something to do.
const LIVE: &str =
    "SELECT count(*) FROM saga WHERE state IN ('RUNNING', 'WAITING', 'COMPENSATING')";
/// Live sagas whose payment is intended and not known.
const PAYING: &str = "SELECT count(*) FROM saga s WHERE state IN ('RUNNING', 'WAITING', 'COMPENSATING')
     AND EXISTS (SELECT FROM saga_event e WHERE e.saga_id = s.saga_id AND e.step = 'pay' AND e.kind = 'INTENT')
     AND NOT EXISTS (SELECT FROM saga_event e WHERE e.saga_id = s.saga_id AND e.step = 'pay' AND e.kind = 'OK')";
const SOLD: &str = "SELECT coalesce(sum(sold), 0) FROM inv_unit";
const WRITTEN: &str = "SELECT count(*) FROM outbox";

/// Kills one after the other; answers how many met a payment that was under way.
async fn kill_all(mesh: &RealMesh, booking: &mut Process, payment: &mut Process) -> usize {
    let mut while_paying = 0;
    for (victim, sold_min) in KILLS {
        let sold = moment(mesh, victim, sold_min).await;
        assert!(sold <= SOLD_MAX, "{victim:?}: {sold} are sold already");
        match victim {
            Victim::Booking => {
                booking.kill();
                // Nobody writes to its tables now.
                while_paying += usize::from(mesh.booking.number(PAYING).await > 0);
                assert!(mesh.booking.number(LIVE).await > 0, "sagas live on");
                booking.start_again().await;
            }
            Victim::Payment => {
                payment.kill();
                assert!(mesh.booking.number(LIVE).await > 0, "sagas live on");
                payment.start_again().await;
            }
            Victim::Broker => mesh::tasks::blocking(kill_broker).await.unwrap(),
        }
    }
    while_paying
}

/// Waits until so many seats are sold and there is something to lose; answers how many are sold then.
async fn moment(mesh: &RealMesh, victim: Victim, sold_min: usize) -> usize {
    let wait = async {
        loop {
            let sold = usize::try_from(mesh.booking.number(SOLD).await).unwrap();
            let at_stake = match victim {
                Victim::Booking => PAYING,
                Victim::Payment => LIVE,
                Victim::Broker => WRITTEN,
            };
            if sold >= sold_min && mesh.booking.number(at_stake).await > 0 {
                return sold;
            }
            tokio::time::sleep(LOOK_AGAIN / 4).await;
        }
    };
    let waited = tokio::time::timeout(NEXT_WITHIN, wait).await;
    waited.unwrap_or_else(|_| panic!("{victim:?}: {sold_min} are never sold"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_buyers_and_five_kills_and_every_seat_is_sold_once() {
    let mut mesh = RealMesh::start(Timings::Short).await;
    let plan = ShowPlan {
        seats: Seats::Plan,
        units_per_buyer_max: 2,
        ..ShowPlan::default()
    };
    let sale = mesh.on_sale(plan).await;
    let (mut booking, mut payment) = (mesh.take("booking-svc"), mesh.take("payment-svc"));
    let storm = Storm::over(&mesh, &sale);
    let (purchases, while_paying) =
        tokio::join!(storm.blow(), kill_all(&mesh, &mut booking, &mut payment));
    assert!(
        while_paying >= WHILE_PAYING_MIN,
        "{while_paying} kills met a payment"
    );
    storm.settle(&purchases).await;
}
