//! Bookings and their sagas in several instances at once, while payment-svc is away.

use std::time::Duration;

use booking_svc::app::create_booking::{Error, create_booking};
use booking_svc::app::issue_tickets::issue_tickets;
use booking_svc::app::timings::BookTimings;
use booking_svc::clients::{Coupons, Payments};
use booking_svc::domain::booking::{Booking, BookingRefusal, CreateBooking, Method};
use booking_svc::domain::hold::Hold;
use booking_svc::domain::price::CouponChoice;
use booking_svc::domain::saga::News;
use booking_svc::domain::ticket::keys::KeyRing;
use booking_svc::saga::moments::PAY;
use booking_svc::saga::turn::{Told, tell};
use booking_svc::saga::{Parts, Sagas};
use booking_svc::store::inventory::PoolLock;
use futures_util::future::join_all;
use mesh::config::Secret;
use mesh::faults::{Faults, Halt};
use mesh::outbox::Waker;
use mesh::pg::{Connection, TxError};
use mesh::tasks::Tasks;
use mesh::{client, id};
use proto::usher::booking::events::v1::BookingFailed;
use tokio::time::Instant;
use uuid::Uuid;

use crate::world::{World, hold, submit};

/// Seconds of the database's clock.
const NOW: &str = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint::text AS t";
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
/// Longer than any step takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An instance that takes steps, and the owner of its tasks.
pub(crate) struct Instance {
    pub(crate) sagas: Sagas,
    tasks: Tasks,
}

impl Instance {
    pub(crate) fn start(world: &World) -> Self {
        Self::with(world, BookTimings::standard(), Faults::none())
    }

    fn with(world: &World, timings: BookTimings, faults: Faults) -> Self {
        let tasks = Tasks::new();
        let peers = NOWHERE.parse().unwrap();
        let peer = client::peer("booking-svc", &peers, &Secret::new("a secret")).unwrap();
        let sagas = Sagas::start(Parts {
            database: world.database.clone(),
            inventory: world.inventory(PoolLock::On),
            payments: Payments::new(peer.clone()),
            coupons: Coupons::new(peer),
            outbox: Waker::default(),
            timings,
            owner: format!("test {}", id::new()),
            tasks: tasks.clone(),
            faults,
        });
        Self { sagas, tasks }
    }

    /// Waits until what it had begun has ended.
    pub(crate) async fn stop(self) {
        assert_eq!(self.tasks.shutdown(PATIENCE).await, Vec::<&str>::new());
    }

    /// Books, and does not wait for what the saga does.
    pub(crate) async fn book(&self, wanted: CreateBooking) -> Result<Booking, Error> {
        create_booking(&self.sagas, wanted, Instant::now()).await
    }
}

/// A hold of one seat that nobody has booked.
pub(crate) async fn held(world: &World, seat: i32) -> Hold {
    let wanted = hold(id::new(), &[(1, seat, 1)]);
    submit(&world.inventory(PoolLock::On), wanted)
        .await
        .unwrap()
}

pub(crate) fn booking_of(hold: &Hold) -> CreateBooking {
    CreateBooking {
        request_id: id::new(),
        account_id: hold.account_id,
        request_hash: vec![1],
        hold_id: hold.hold_id,
        expected_total: hold.total,
        coupons: CouponChoice::None,
        method: Method::OnSite,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_one_request_id_at_once_make_one_booking() {
    let world = World::new().await;
    let instances = [Instance::start(&world), Instance::start(&world)];
    let wanted = booking_of(&held(&world, 0).await);
    let calls = (0..16).map(|number| instances[number % 2].book(wanted.clone()));
    let mut ids: Vec<Uuid> = Vec::new();
    for answer in join_all(calls).await {
        ids.push(answer.unwrap().booking_id);
    }
    ids.dedup();
    let made = world
        .storage
        .lines("SELECT booking_id::text AS t FROM booking")
        .await;
    assert_eq!(ids.len(), 1, "one answer for all");
    assert_eq!(made, [ids[0].to_string()]);

    // The same id for another request, and the same hold under other ids.
    let other = CreateBooking {
        request_hash: vec![2],
        ..wanted
    };
    let reused = instances[0].book(other).await;
    assert!(
        matches!(
            reused,
            Err(TxError::Refused(BookingRefusal::RequestIdReused))
        ),
        "{reused:?}"
    );
    let hold = held(&world, 1).await;
    let calls = (0..16).map(|number| instances[number % 2].book(booking_of(&hold)));
    let answers = join_all(calls).await;
    let refused = answers.iter().filter(|answer| {
        matches!(
            answer,
            Err(TxError::Refused(BookingRefusal::HoldAlreadyBooked))
        )
    });
    assert_eq!(refused.count(), 15, "{answers:?}");
    for instance in instances {
        instance.stop().await;
    }
    assert_eq!(world.faults().await, Vec::<String>::new());
}

/// Attempts of a saga after its opener, who was away for a while, begins with it; it stood at 0 before.
async fn attempts_of_a_late_opener(meanwhile: &str) -> Vec<String> {
    let world = World::new().await;
    let first = Instance::start(&world);
    let booking = first
        .book(booking_of(&held(&world, 0).await))
        .await
        .unwrap();
    first.stop().await;
    // As its opening left it; nobody but the opener looks at it.
    let opened = "UPDATE saga SET attempts = 0, state = 'RUNNING', lease_gen = 1, next_run_time = now() + interval '1 hour'";
    world.storage.sql(&format!("{opened}; {meanwhile}")).await;
    let saga = format!(
        "SELECT saga_id::text AS t FROM saga WHERE subject_id = '{}'",
        booking.booking_id
    );
    let saga_id = world.storage.lines(&saga).await.concat();
    let opener = Instance::start(&world);
    opener.sagas.begin(saga_id.parse().unwrap());
    opener.stop().await;
    world
        .storage
        .lines("SELECT attempts::text AS t FROM saga")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opener_takes_the_first_step_only_while_nobody_else_did() {
    assert_eq!(attempts_of_a_late_opener("SELECT 1").await, ["1"]);
    for meanwhile in [
        "UPDATE saga SET lease_gen = 2",
        "UPDATE saga SET state = 'DONE'",
        "UPDATE saga SET state = 'COMPENSATED'",
        "UPDATE saga SET state = 'PARKED', park_reason = 'test'",
    ] {
        assert_eq!(
            attempts_of_a_late_opener(meanwhile).await,
            ["0"],
            "{meanwhile}"
        );
    }
}

/// Waits until a query answers `line`.
pub(crate) async fn until(world: &World, sql: &str, line: &str) {
    let wait = async {
        while world.storage.lines(sql).await != [line] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, wait).await;
    assert!(ended.is_ok(), "never {line:?}: {sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_longer_than_its_lease_keeps_it() {
    let world = World::new().await;
    let timings = BookTimings {
        lease: Duration::from_millis(300),
        sweep: Duration::from_millis(10),
        ..BookTimings::standard()
    };
    let halt = Halt::default();
    let slow = Instance::with(&world, timings, halt.at(PAY.after_intent));
    let wanted = booking_of(&held(&world, 0).await);
    slow.book(wanted).await.unwrap();
    halt.reached().await;
    let other = Instance::with(&world, timings, Faults::none());
    // Each renewal moves the end of the lease; after ten of them it would be long over.
    let mut ends: Vec<String> = Vec::new();
    while ends.len() < 10 {
        let now = world
            .storage
            .lines("SELECT lease_gen || ' ' || coalesce(lease_until::text, 'none') AS t FROM saga")
            .await
            .concat();
        assert!(now.starts_with("1 2"), "another has it: {now}");
        if ends.last() != Some(&now) {
            ends.push(now);
        }
    }
    halt.go();
    until(
        &world,
        "SELECT (lease_gen > 1)::text AS t FROM saga",
        "true",
    )
    .await;
    slow.stop().await;
    other.stop().await;
}

/// Timers of an instance that does not wait.
fn restless() -> BookTimings {
    BookTimings {
        sweep: Duration::from_millis(10),
        retry_base: Duration::from_millis(1),
        retry_cap: Duration::from_millis(10),
        ask_after: Duration::from_millis(10),
        ..BookTimings::standard()
    }
}

const SAGA: &str = "SELECT state || ' ' || step || ' ' || (park_reason IS NOT NULL) || ' ' || (park_by IS NOT NULL) AS t FROM saga";
const HOLD: &str = "SELECT state AS t FROM hold";

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_booking_that_cannot_be_confirmed_for_a_day_is_parked_and_goes_on_when_told() {
    let world = World::new().await;
    let opener = Instance::start(&world);
    let wanted = booking_of(&held(&world, 0).await);
    let booking = opener.book(wanted).await.unwrap();
    opener.stop().await;
    // Paid, and the counters cannot be written.
    world
        .storage
        .sql(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$; \
             CREATE TRIGGER broken BEFORE UPDATE ON inv_unit FOR EACH ROW EXECUTE FUNCTION broken(); \
             UPDATE saga SET step = 'confirm', attempts = 0, next_run_time = now()",
        )
        .await;
    let instance = Instance::with(&world, restless(), Faults::none());
    let often = "SELECT (attempts > 15)::text AS t FROM saga";
    until(&world, often, "true").await;
    assert_eq!(
        world.storage.lines(SAGA).await,
        ["RUNNING confirm false false"]
    );
    let yesterday = "UPDATE saga SET create_time = now() - interval '25 hours'";
    world.storage.sql(yesterday).await;
    until(&world, SAGA, "PARKED confirm true true").await;
    assert_eq!(world.storage.lines(HOLD).await, ["PAYING"]);
    // What RetrySaga does, once the reason is gone.
    world
        .storage
        .sql(
            "DROP TRIGGER broken ON inv_unit; \
             UPDATE saga SET state = 'RUNNING', attempts = 0, park_reason = NULL, park_by = NULL, park_time = NULL, next_run_time = now()",
        )
        .await;
    until(&world, SAGA, "WAITING tickets false false").await;
    assert_eq!(world.storage.lines(HOLD).await, ["CONFIRMED"]);
    assert_eq!(world.faults().await, Vec::<String>::new());
    instance.stop().await;

    // Parked once more: what is sold gets its tickets all the same.
    let parked = "UPDATE saga SET state = 'PARKED', park_reason = 'test', park_by = 'test', park_time = now()";
    world.storage.sql(parked).await;
    let seed = format!("{}=", "A".repeat(43));
    let key = serde_json::json!({"key_id": 1, "seed": seed, "valid_from_time": "2020-01-01T00:00:00Z", "valid_until_time": null});
    let keys = KeyRing::from_json(&serde_json::json!({ "keys": [key] }).to_string()).unwrap();
    let keys = std::sync::Arc::new(keys);
    let booking_id = booking.booking_id;
    let issue = world
        .database
        .transaction("issue", async move |connection| {
            issue_tickets(connection, &keys, booking_id, &Faults::none()).await?;
            Ok::<_, TxError<std::convert::Infallible>>(())
        });
    issue.await.unwrap();
    assert_eq!(
        world.storage.lines(SAGA).await,
        ["DONE tickets false false"]
    );
    let tickets = "SELECT count(*)::text AS t FROM ticket WHERE state = 'ACTIVE'";
    assert_eq!(world.storage.lines(tickets).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_saga_frees_its_units_at_the_deadline_of_its_payment_all_the_same() {
    for stands_at in [
        "step = 'pay', direction = 'FORWARD'",
        "step = 'pay', direction = 'BACK'",
        "step = 'pin', direction = 'BACK'",
    ] {
        frees_its_units(stands_at).await;
    }
}

/// A saga is parked where `stands_at` says, and its deadline passes.
async fn frees_its_units(stands_at: &str) {
    let world = World::new().await;
    let opener = Instance::start(&world);
    let wanted = booking_of(&held(&world, 0).await);
    opener.book(wanted).await.unwrap();
    opener.stop().await;
    let parked = "UPDATE saga SET state = 'PARKED', park_reason = 'test', park_by = 'test', park_time = now()";
    world.storage.sql(&format!("{parked}, {stands_at}")).await;
    let instance = Instance::with(&world, restless(), Faults::none());
    world
        .storage
        .sql("UPDATE saga SET deadline_time = now()")
        .await;
    until(&world, SAGA, "COMPENSATED pin false false").await;
    assert_eq!(world.storage.lines(HOLD).await, ["EXPIRED"]);
    assert_eq!(world.faults().await, Vec::<String>::new());
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_failed_is_told_with_its_shows_and_its_time() {
    let world = World::new().await;
    let instance = Instance::start(&world);
    let wanted = hold(id::new(), &[(1, 0, 1), (2, 0, 1)]);
    let held = submit(&world.inventory(PoolLock::On), wanted).await;
    let held = held.unwrap();
    let booking = instance.book(booking_of(&held)).await.unwrap();
    instance.stop().await;
    let told = Told {
        booking_id: booking.booking_id,
        payment_id: booking.payment_id,
        news: News::Expired,
        amount: None,
    };
    let work = async move |connection: &mut Connection| {
        // The second time it is known.
        tell(connection, &told, &BookTimings::standard()).await?;
        tell(connection, &told, &BookTimings::standard()).await?;
        Ok::<_, TxError<std::convert::Infallible>>(())
    };
    let before = world.storage.lines(NOW).await.concat();
    world.database.transaction("tell", work).await.unwrap();
    let told = world.storage.told::<BookingFailed>().await;
    let [failed] = &told[..] else {
        panic!("told once: {told:?}");
    };
    assert_eq!(failed.booking_id, booking.booking_id.to_string());
    assert_eq!(failed.account_id, booking.account_id.to_string());
    assert_eq!(failed.reason, "PAYMENT_EXPIRED");
    // Both lines are of one show.
    assert_eq!(failed.show_ids, [Uuid::from_u128(1).to_string()]);
    let at = failed.fail_time.unwrap().seconds;
    assert!(
        before.parse::<i64>().unwrap() <= at,
        "{at} is before {before}"
    );
}
