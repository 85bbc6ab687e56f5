//! The saga under every crash: each step, done and undone, is interrupted at each of its moments in each way, and has one effect.
//!
//! The cells are made from the definition of the saga. A buyer buys with a coupon, or gives up, through REST and repeats every call until it is answered,
//! as clients do; meanwhile one instance is halted at the moment of the cell, and then
//!
//! - `Crash`: it dies, and another one starts at its address;
//! - `Stolen`: its lease ends, another instance takes the saga over, and the first one goes on afterwards;
//! - `Twice`: the same step is taken with the same knowledge, every message of the booking comes again, the buyer asks again, and
//!   the first one goes on afterwards.

use std::collections::BTreeMap;

use booking_svc::saga::moments::{DEFINITION, Op};
use e2e::rest::Person;
use mesh::faults::{Faults, Halt};
use mesh::identity::Role;
use serde_json::Value;

mod second;
pub(crate) mod story;

use crate::real::{Instance, RealMesh, Sale, Seats, ShowPlan, Timings, until, won_off};
use second::Second;
use story::{COUPON, Story};
use uuid::Uuid;

/// How the halted instance loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Crash,
    Stolen,
    Twice,
}

const MODES: [Mode; 3] = [Mode::Crash, Mode::Stolen, Mode::Twice];

/// Seven entries of the definition, four moments, three modes.
const CELLS: usize = 84;

#[derive(Clone, Copy, Debug)]
struct Cell {
    op: Op,
    moment: &'static str,
    mode: Mode,
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (_, op, moments) in DEFINITION {
        for moment in moments.all() {
            cells.extend(MODES.map(|mode| Cell { op, moment, mode }));
        }
    }
    cells
}

/// What all cells share.
struct Stage {
    mesh: RealMesh,
    sale: Sale,
    /// Where edge-proxy looks for booking-svc.
    listen: String,
    second: Second,
    campaign_id: Uuid,
    seat: i64,
}

impl Stage {
    async fn set() -> Self {
        let mut mesh = RealMesh::start(Timings::Short).await;
        let plan = ShowPlan {
            seats: Seats::Row(200),
            ..ShowPlan::default()
        };
        let sale = mesh.on_sale(plan).await;
        let campaign_id = mesh.campaign(-1, won_off(COUPON)).await;
        let address = mesh.address("booking-svc");
        let listen = address.trim_start_matches("http://").to_owned();
        mesh.kill("booking-svc");
        keep_messages(&mesh).await;
        let second = Second::start(&mesh).await;
        Self {
            mesh,
            sale,
            listen,
            second,
            campaign_id,
            seat: 0,
        }
    }

    /// A buyer who has nothing yet, and what it is about to do.
    fn story(&mut self, op: Op) -> Story {
        let buyer = self.mesh.person(&[Role::User]);
        self.seat += 1;
        Story::new(buyer, self.sale.pool_id, self.seat, op).with_coupon(self.campaign_id)
    }

    /// The booking of this story without any interruption.
    async fn undisturbed(&mut self, op: Op) -> BTreeMap<String, Value> {
        let story = self.story(op);
        let instance = self.mesh.instance(&self.listen, Faults::none()).await;
        story.tell(&self.mesh).await;
        self.mesh.quiesce().await;
        instance.stop().await;
        shape(&self.mesh, &story.buyer).await
    }

    /// Plays one cell; answers what the booking looks like at its end.
    async fn play(&mut self, cell: Cell) -> BTreeMap<String, Value> {
        let story = self.story(cell.op);
        let halt = Halt::default();
        let first = self.mesh.instance(&self.listen, halt.at(cell.moment)).await;
        let (mesh, second) = (&self.mesh, &self.second);
        let interrupt = async {
            reached(mesh, &halt, cell).await;
            interrupt(mesh, &self.listen, second, &story, cell.mode, first, &halt).await
        };
        let ((), instances) = tokio::join!(story.tell(mesh), interrupt);
        mesh.quiesce().await;
        for instance in instances {
            instance.stop().await;
        }
        mesh.audit().await;
        assert!(halt.passed() >= 1, "{cell:?}: the fault fired");
        shape(mesh, &story.buyer).await
    }
}

async fn reached(mesh: &RealMesh, halt: &Halt, cell: Cell) {
    let reached = tokio::time::timeout(crate::real::PATIENCE, halt.reached()).await;
    if reached.is_err() {
        let under_way = mesh.under_way().await.join("\n");
        let queues = mesh.queues.states().await.join("\n");
        panic!("{cell:?}: nobody came there; under way:\n{under_way}\n{queues}");
    }
}

/// Does what the mode says to the halted instance; answers the instances that live on.
async fn interrupt(
    mesh: &RealMesh,
    listen: &str,
    second: &Second,
    story: &Story,
    mode: Mode,
    first: Instance,
    halt: &Halt,
) -> Vec<Instance> {
    match mode {
        Mode::Crash => {
            first.crash().await;
            vec![mesh.instance(listen, Faults::none()).await]
        }
        Mode::Stolen => {
            let other = mesh.instance("127.0.0.1:0", Faults::none()).await;
            if let Some(lease_gen) = end_lease(mesh, &story.buyer).await {
                until("another instance has the saga", async || {
                    let now = lease_gen_of(mesh, &story.buyer).await;
                    (now > lease_gen).then_some(())
                })
                .await;
            }
            halt.go();
            vec![first, other]
        }
        Mode::Twice => {
            let again = async {
                let snapshot = second.saga_of(mesh, story.buyer.account_id).await;
                if let Some(saga) = snapshot {
                    second.take_step(saga).await;
                }
            };
            tokio::join!(again, send_again(mesh, &story.buyer), story.ask_again(mesh));
            halt.go();
            vec![first]
        }
    }
}

/// Keeps a copy of every message that leaves.
async fn keep_messages(mesh: &RealMesh) {
    for storage in [&mesh.booking, &mesh.payment] {
        storage
            .run(
                "CREATE SCHEMA kept;
                 CREATE TABLE kept.message AS SELECT * FROM outbox LIMIT 0;
                 CREATE FUNCTION kept.keep() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN
                     IF NOT EXISTS (SELECT FROM kept.message WHERE message_id = OLD.message_id) THEN
                         INSERT INTO kept.message SELECT OLD.*;
                     END IF;
                     RETURN NULL;
                 END $$;
                 CREATE TRIGGER keep AFTER DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION kept.keep();",
            )
            .await;
    }
}

/// Every message that left for this buyer's booking leaves once more, under its id.
async fn send_again(mesh: &RealMesh, buyer: &Person) {
    let sql = format!(
        "SELECT booking_id FROM booking WHERE account_id = '{}'",
        buyer.account_id
    );
    let Some(booking_id) = mesh.booking.texts(&sql).await.pop() else {
        return;
    };
    for storage in [&mesh.booking, &mesh.payment] {
        let waiting = format!("SELECT count(*) FROM outbox WHERE aggregate = '{booking_id}'");
        until("what was written has left", async || {
            (storage.number(&waiting).await == 0).then_some(())
        })
        .await;
        storage
            .run(&format!(
                "INSERT INTO outbox (message_id, part, aggregate, type, exchange, payload, headers)
                 SELECT message_id, part, aggregate, type, exchange, payload, headers FROM kept.message
                 WHERE aggregate = '{booking_id}'"
            ))
            .await;
    }
}

/// Ends the lease of a buyer's saga, if somebody has one and is not just writing; answers its generation.
async fn end_lease(mesh: &RealMesh, buyer: &Person) -> Option<i64> {
    let sql = format!(
        "UPDATE saga SET lease_until = now() - interval '1 second', next_run_time = now() WHERE saga_id IN
         (SELECT saga_id FROM saga WHERE lease_until IS NOT NULL AND subject_id IN
          (SELECT booking_id FROM booking WHERE account_id = '{}') FOR UPDATE SKIP LOCKED) RETURNING lease_gen",
        buyer.account_id
    );
    let lease_gen = mesh.booking.locked_texts(&sql).await.pop()?;
    Some(lease_gen.parse().unwrap())
}

async fn lease_gen_of(mesh: &RealMesh, buyer: &Person) -> i64 {
    let sql = format!(
        "SELECT lease_gen FROM saga WHERE subject_id IN (SELECT booking_id FROM booking WHERE account_id = '{}')",
        buyer.account_id
    );
    mesh.booking.number(&sql).await
}

/// Columns that differ between two bookings of the same kind, or change without an effect.
const LEFT_OUT: &str = "data_type <> 'uuid' AND column_name NOT LIKE '%\\_time' AND column_name NOT LIKE 'lease\\_%' AND column_name NOT IN
    ('version', 'attempts', 'checks', 'last_error', 'traceparent', 'ord', 'code', 'order_name', 'request_hash', 'provider_payment_key', 'context')";

/// Tables of a booking, and what ties their rows to it.
const ROWS: [(&str, &str, &str); 13] = [
    (
        "booking",
        "hold",
        "hold_id IN (SELECT hold_id FROM booking WHERE booking_id = $)",
    ),
    (
        "booking",
        "claim",
        "hold_id IN (SELECT hold_id FROM booking WHERE booking_id = $)",
    ),
    ("booking", "booking", "booking_id = $"),
    ("booking", "booking_line", "booking_id = $"),
    ("booking", "booking_discount", "booking_id = $"),
    ("booking", "ticket", "booking_id = $"),
    ("booking", "saga", "subject_id = $"),
    ("payment", "payment", "booking_id = $"),
    (
        "payment",
        "refund",
        "payment_id IN (SELECT payment_id FROM payment WHERE booking_id = $)",
    ),
    (
        "payment",
        "late_capture",
        "payment_id IN (SELECT payment_id FROM payment WHERE booking_id = $)",
    ),
    ("coupon", "reservation", "booking_id = $"),
    (
        "coupon",
        "reservation_coupon",
        "reservation_id IN (SELECT reservation_id FROM reservation WHERE booking_id = $)",
    ),
    (
        "coupon",
        "coupon",
        "coupon_id IN (SELECT coupon_id FROM reservation JOIN reservation_coupon USING (reservation_id) WHERE booking_id = $)",
    ),
];

/// A buyer's booking in every table and at the provider, without what differs between two of the same kind.
async fn shape(mesh: &RealMesh, buyer: &Person) -> BTreeMap<String, Value> {
    let sql = format!(
        "SELECT booking_id, payment_id FROM booking WHERE account_id = '{}'",
        buyer.account_id
    );
    let bookings = mesh.booking.rows(&sql).await;
    assert_eq!(bookings.len(), 1, "one booking: {bookings:?}");
    let booking_id = format!("'{}'", bookings[0]["booking_id"].as_str().unwrap());
    let mut shape = BTreeMap::new();
    for (database, table, condition) in ROWS {
        let storage = match database {
            "booking" => &mesh.booking,
            "coupon" => &mesh.coupon,
            _ => &mesh.payment,
        };
        let columns = format!(
            "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '{table}' AND {LEFT_OUT}"
        );
        let columns = storage.texts(&columns).await.concat();
        let condition = condition.replace('$', &booking_id);
        let rows =
            format!("SELECT {columns} FROM {table} WHERE {condition} ORDER BY {table}::text");
        shape.insert(table.to_owned(), storage.rows(&rows).await.into());
    }
    let order = mesh
        .oracle(bookings[0]["payment_id"].as_str().unwrap())
        .await;
    for total in ["captures", "captured", "refunds", "refunded"] {
        shape.insert(format!("oracle {total}"), order.json[total].clone());
    }
    shape
}

#[tokio::test(flavor = "multi_thread")]
async fn every_interruption_of_every_step_has_one_effect() {
    let cells = cells();
    assert_eq!(cells.len(), CELLS);
    let mut stage = Stage::set().await;
    let sold = stage.undisturbed(Op::Do).await;
    let given_up = stage.undisturbed(Op::Undo).await;
    assert_eq!(
        (
            sold["oracle captured"].as_i64(),
            given_up["oracle captured"].as_i64()
        ),
        (Some(45_000), None)
    );
    let coupon = |shape: &BTreeMap<String, Value>| shape["coupon"][0]["state"].clone();
    assert_eq!(
        (coupon(&sold), coupon(&given_up)),
        ("USED".into(), "AVAILABLE".into())
    );
    for cell in cells {
        let expected = match cell.op {
            Op::Do => &sold,
            Op::Undo => &given_up,
        };
        assert_eq!(&stage.play(cell).await, expected, "{cell:?}");
    }
}
