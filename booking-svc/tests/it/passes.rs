//! Places of strict waiting rooms against Postgres: each gets one hold, whoever asks, wherever, however often at once.

use std::collections::BTreeSet;

use booking_svc::app::inventory::Failure;
use booking_svc::domain::hold::Hold;
use booking_svc::domain::inventory::{Command, HoldUnits, Pass, Place, Rejection};
use booking_svc::store::inventory::PoolLock;
use futures_util::future::join_all;
use mesh::id;
use uuid::Uuid;

use crate::world::{World, hold, submit};

/// Holds that are asked for with one place at once.
const CALLS: usize = 16;

/// Every sale goes through a waiting room.
const GUARDED: &str = "UPDATE show SET queue_required = true";
/// The row is slow to be written, so that the other instance reads before it is.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$; \
     CREATE TRIGGER slow BEFORE INSERT ON hold FOR EACH STATEMENT EXECUTE FUNCTION slow()";
/// Takes the wall away on which the second of two transactions runs.
const NO_WALL: &str = "ALTER TABLE burned_place DROP CONSTRAINT burned_place_pkey";

fn pass(seq: u64, strict: bool) -> Pass {
    let place = Place {
        show_id: Uuid::from_u128(1),
        epoch: 1,
        lane: 0,
        seq,
    };
    Pass { place, strict }
}

/// What `account_id`, who shows `shown`, wishes for.
fn hold_with(account_id: Uuid, wishes: &[(u128, i32, i32)], shown: Pass) -> HoldUnits {
    HoldUnits {
        admitted: BTreeSet::from([shown]),
        ..hold(account_id, wishes)
    }
}

fn is_used(answer: &Result<Hold, Failure>) -> bool {
    matches!(
        answer,
        Err(Failure::Rejected(Rejection::QueuePassUsed(shows))) if shows.contains(&Uuid::from_u128(1))
    )
}

async fn burned(world: &World) -> Vec<String> {
    let places = "SELECT concat_ws(' ', epoch, lane, seq, hold_id) AS t FROM burned_place ORDER BY epoch, lane, seq";
    world.storage.lines(places).await
}

/// Many holds with one place at once, in two instances with a pool each: of one account, or of as many as there are calls. Answers how
/// many were made.
async fn crowd(strict: bool, accounts: usize, prepare: &str) -> usize {
    let world = World::new().await;
    world
        .storage
        .sql(&format!(
            "{GUARDED}; {SLOW}; UPDATE show SET units_per_buyer_max = 100; {prepare}"
        ))
        .await;
    let instances = [world.inventory(PoolLock::On), world.inventory(PoolLock::On)];
    let accounts: Vec<Uuid> = (0..accounts).map(|_| id::new()).collect();
    let calls = (0..CALLS).map(|number| {
        let pool = if number % 2 == 0 { 1 } else { 2 };
        let seat = i32::try_from(number / 2).unwrap();
        let account_id = accounts[number % accounts.len()];
        let wanted = hold_with(account_id, &[(pool, seat, 1)], pass(7, strict));
        submit(&instances[number % 2], wanted)
    });
    let answers = join_all(calls).await;
    let made = answers.iter().filter(|answer| answer.is_ok()).count();
    let used = answers.iter().filter(|answer| is_used(answer)).count();
    assert_eq!(made + used, CALLS, "{answers:?}");
    assert_eq!(world.faults().await, Vec::<String>::new());
    let places = burned(&world).await.len();
    assert_eq!(places, if strict { made } else { 0 });
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_place_gets_one_hold_of_many_that_are_asked_for_at_once() {
    assert_eq!(crowd(true, 1, "").await, 1, "its owner, over two pools");
    assert_eq!(crowd(false, 1, "").await, CALLS, "the room is not strict");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_place_stands_where_no_lock_is_common() {
    // Two accounts with one place: no room gives that away, and no lock is common to them.
    assert_eq!(crowd(true, CALLS, "").await, 1);
    assert!(
        crowd(true, CALLS, NO_WALL).await > 1,
        "without the key more than one gets through"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_answers_the_hold_and_a_release_gives_no_place_back() {
    let world = World::new().await;
    world.storage.sql(GUARDED).await;
    let instances = [world.inventory(PoolLock::On), world.inventory(PoolLock::On)];
    let account_id = id::new();
    let wanted = hold_with(account_id, &[(1, 0, 1)], pass(7, true));
    let calls = (0..CALLS).map(|number| submit(&instances[number % 2], wanted.clone()));
    let answers = join_all(calls).await;
    let first = answers[0].as_ref().unwrap();
    for answer in &answers {
        assert_eq!(answer.as_ref().unwrap(), first);
    }
    let release = Command::Release {
        hold_id: first.hold_id,
        account_id,
    };
    instances[0].submit(release).await.unwrap();
    let refused = submit(
        &instances[1],
        hold_with(account_id, &[(2, 0, 1)], pass(7, true)),
    )
    .await;
    assert!(is_used(&refused), "{refused:?}");
    let other = hold_with(account_id, &[(2, 0, 1)], pass(8, true));
    let other = submit(&instances[1], other).await.unwrap();
    let expected = [(7, first.hold_id), (8, other.hold_id)];
    let expected = expected.map(|(seq, hold_id)| format!("1 0 {seq} {hold_id}"));
    assert_eq!(burned(&world).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_refused_costs_no_place() {
    let world = World::new().await;
    world.storage.sql(GUARDED).await;
    let inventory = world.inventory(PoolLock::On);
    let seat = [(1, 0, 1)];
    submit(&inventory, hold_with(id::new(), &seat, pass(1, true)))
        .await
        .unwrap();
    let buyer = id::new();
    let taken = submit(&inventory, hold_with(buyer, &seat, pass(7, true))).await;
    assert!(
        matches!(taken, Err(Failure::Rejected(Rejection::UnitsTaken(_)))),
        "{taken:?}"
    );
    submit(&inventory, hold_with(buyer, &[(1, 1, 1)], pass(7, true)))
        .await
        .unwrap();
    // What is overdue is reclaimed for somebody who asks, whose place is used then, and once.
    world
        .storage
        .sql("UPDATE hold SET expire_time = now() - interval '1 second'")
        .await;
    submit(&inventory, hold_with(id::new(), &seat, pass(9, true)))
        .await
        .unwrap();
    assert_eq!(burned(&world).await.len(), 3);
}
