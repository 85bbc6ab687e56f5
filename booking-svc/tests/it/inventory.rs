//! The commit path of the inventory against Postgres: what its lock and its constraints are for, and what callers may do to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use booking_svc::app::inventory::Failure;
use booking_svc::app::reads;
use booking_svc::domain::hold::{Hold, HoldState};
use booking_svc::domain::inventory::{Command, HoldUnits, Rejection};
use booking_svc::store::inventory::PoolLock;
use futures_util::future::join_all;
use mesh::id;
use mesh::page::PageRequest;
use uuid::Uuid;

use crate::world::{World, hold, submit};

/// Takes every constraint away that stands behind the lock.
const NO_WALLS: &str =
    "ALTER TABLE inv_unit DROP CONSTRAINT inv_unit_capacity; DROP INDEX claim_one_owner;
     ALTER TABLE buyer_cap DROP CONSTRAINT buyer_cap_limit; ALTER TABLE inv_pool DROP CONSTRAINT inv_pool_level; \
     ALTER TABLE inv_grade DROP CONSTRAINT inv_grade_level;";

/// Twelve instances with a buyer each fight for one seat, without the lock or the constraints as the arguments say. Answers what the
/// audit found, how many got the seat, and how many were refused by a constraint.
async fn fight(lock: PoolLock, walls: bool) -> (Vec<String>, usize, usize) {
    let world = World::new().await;
    if !walls {
        world.storage.sql(NO_WALLS).await;
    }
    // The row is slow to be written, so that without the lock the other instance reads before it is.
    world
        .storage
        .sql(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$; \
             CREATE TRIGGER slow BEFORE INSERT ON hold FOR EACH STATEMENT EXECUTE FUNCTION slow();",
        )
        .await;
    let buyers = (0..12).map(|_| {
        let inventory = world.inventory(lock);
        async move { submit(&inventory, hold(id::new(), &[(1, 0, 1), (1, 10, 1)])).await }
    });
    let answers = join_all(buyers).await;
    let granted = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused_by_wall = answers
        .iter()
        .filter(|answer| matches!(answer, Err(Failure::Fault)))
        .count();
    (world.faults().await, granted, refused_by_wall)
}

#[tokio::test(flavor = "multi_thread")]
async fn lock_and_constraints_each_prevent_the_oversell_alone() {
    let (faults, granted, by_wall) = fight(PoolLock::On, true).await;
    assert_eq!(
        (faults.as_slice(), granted, by_wall),
        (&[][..], 1, 0),
        "both on"
    );
    let (faults, granted, by_wall) = fight(PoolLock::On, false).await;
    assert_eq!(
        (faults.as_slice(), granted, by_wall),
        (&[][..], 1, 0),
        "the lock alone"
    );
    let (faults, granted, by_wall) = fight(PoolLock::Off, true).await;
    assert!(
        faults.is_empty() && granted == 1,
        "the constraints alone: {faults:?}, {granted}"
    );
    assert!(by_wall > 0, "without the lock the constraints have to fire");
    let (faults, granted, _) = fight(PoolLock::Off, false).await;
    assert!(
        !faults.is_empty() && granted > 1,
        "without both the oversell shows: {granted}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn opposite_orders_of_pools_do_not_deadlock() {
    let world = World::new().await;
    let instances = [world.inventory(PoolLock::On), world.inventory(PoolLock::On)];
    let clients = (0..64).map(|number: usize| {
        let inventory = instances[number % 2].clone();
        let account = id::new();
        async move {
            let mut wishes = [(1, 10, 1), (2, 10, 1), (3, 10, 1), (4, 10, 1)];
            if number % 2 == 1 {
                wishes.reverse();
            }
            for _ in 0..4 {
                match submit(&inventory, hold(account, &wishes)).await {
                    Ok(held) => {
                        let hold_id = held.hold_id;
                        let release = Command::Release {
                            hold_id,
                            account_id: account,
                        };
                        inventory.submit(release).await.unwrap();
                    }
                    Err(Failure::Rejected(Rejection::UnitsTaken(_))) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    });
    join_all(clients).await;
    assert_eq!(world.faults().await, Vec::<String>::new());
    let left = world
        .storage
        .lines("SELECT 'x' AS t FROM inv_unit WHERE held > 0 OR sold > 0")
        .await;
    assert_eq!(left.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_a_whole_hold_or_none() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    let calls = (0..10).map(|seat| {
        let inventory = inventory.clone();
        async move {
            let wanted = hold(id::new(), &[(1, seat, 1), (2, seat, 1)]);
            let call = submit(&inventory, wanted);
            // Gone at once, after a while, or never.
            let patience = Duration::from_micros(u64::try_from(seat).unwrap() * 700);
            let _ = tokio::time::timeout(patience, call).await;
        }
    });
    join_all(calls).await;
    // Whoever comes next is served, and behind all the others.
    let last = submit(&inventory, hold(id::new(), &[(3, 0, 1)]))
        .await
        .unwrap();
    assert_eq!(last.state, HoldState::Held);
    assert_eq!(world.faults().await, Vec::<String>::new());
    let sizes = "SELECT count(*)::text AS t FROM claim GROUP BY hold_id ORDER BY 1";
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for size in world.storage.lines(sizes).await {
        *lines.entry(size).or_default() += 1;
    }
    assert_eq!(
        lines,
        BTreeMap::from([("1".to_owned(), 1), ("2".to_owned(), 10)])
    );
    let open = "SELECT state AS t FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    assert_eq!(world.storage.lines(open).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_in_two_instances_at_once_makes_one_hold() {
    let world = World::new().await;
    let instances = [world.inventory(PoolLock::On), world.inventory(PoolLock::On)];
    for seat in 0..10 {
        let wanted = hold(id::new(), &[(1, seat, 1)]);
        let (one, other) = tokio::join!(
            submit(&instances[0], wanted.clone()),
            submit(&instances[1], wanted.clone())
        );
        assert_eq!(one.unwrap(), other.unwrap());
        // The same id with other pools meets no common lock; the primary key decides.
        let (mine, theirs) = (
            hold(id::new(), &[(2, seat, 1)]),
            hold(id::new(), &[(3, seat, 1)]),
        );
        let theirs = HoldUnits {
            hold_id: mine.hold_id,
            ..theirs
        };
        let (one, other) = tokio::join!(submit(&instances[0], mine), submit(&instances[1], theirs));
        let reused = |answer: &Result<Hold, Failure>| {
            matches!(answer, Err(Failure::Rejected(Rejection::RequestIdReused)))
        };
        assert!(
            one.is_ok() != other.is_ok() && (reused(&one) || reused(&other)),
            "{one:?} {other:?}"
        );
    }
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_makes_room_for_who_asks() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    let (early, late) = (id::new(), id::new());
    let first = submit(&inventory, hold(early, &[(1, 0, 1), (1, 10, 3)]))
        .await
        .unwrap();
    let taken = submit(&inventory, hold(late, &[(1, 0, 1)])).await;
    assert!(
        matches!(taken, Err(Failure::Rejected(Rejection::UnitsTaken(_)))),
        "{taken:?}"
    );
    let capped = submit(&inventory, hold(early, &[(2, 0, 1)])).await;
    assert!(
        matches!(
            capped,
            Err(Failure::Rejected(Rejection::BuyerCapReached {
                taken: 4,
                ..
            }))
        ),
        "{capped:?}"
    );
    world
        .storage
        .sql("UPDATE hold SET expire_time = now() - interval '1 second'")
        .await;
    // Nobody swept: the buyer who is in the way of nobody but the cap, and the one who wants the seat, both get through.
    submit(&inventory, hold(early, &[(2, 0, 1)])).await.unwrap();
    let again = world
        .storage
        .lines("SELECT state AS t FROM hold ORDER BY create_time")
        .await;
    assert_eq!(again, ["EXPIRED", "HELD"]);
    submit(&inventory, hold(late, &[(1, 0, 1)])).await.unwrap();
    assert_eq!(world.faults().await, Vec::<String>::new());
    let release = Command::Release {
        hold_id: first.hold_id,
        account_id: early,
    };
    assert_eq!(
        inventory.submit(release).await.unwrap().state,
        HoldState::Expired
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_seat_changes_hands_in_one_try() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    submit(&inventory, hold(id::new(), &[(1, 0, 1)]))
        .await
        .unwrap();
    // A sequence counts what is rolled back, too: a batch that a constraint refused and that was tried again shows.
    world
        .storage
        .sql(
            "UPDATE hold SET expire_time = now() - interval '1 second'; CREATE SEQUENCE tries; \
             CREATE FUNCTION count_try() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM nextval('tries'); RETURN NULL; END $$; \
             CREATE TRIGGER count_try AFTER INSERT ON hold FOR EACH ROW EXECUTE FUNCTION count_try();",
        )
        .await;
    submit(&inventory, hold(id::new(), &[(1, 0, 1)]))
        .await
        .unwrap();
    let tries = "SELECT last_value || ' ' || is_called AS t FROM tries";
    assert_eq!(world.storage.lines(tries).await, ["1 true"]);
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_stays_locked_is_told_and_costs_nothing() {
    let world = World::new().await;
    let inventory = Arc::new(world.inventory(PoolLock::On));
    let mut stranger = world.storage.connection().await;
    diesel_async::SimpleAsyncConnection::batch_execute(
        &mut stranger,
        "BEGIN; SELECT 1 FROM inv_pool WHERE pool_id = id(1) FOR UPDATE",
    )
    .await
    .unwrap();
    let busy = submit(&inventory, hold(id::new(), &[(1, 0, 1)])).await;
    assert!(matches!(busy, Err(Failure::PoolBusy)), "{busy:?}");
    diesel_async::SimpleAsyncConnection::batch_execute(&mut stranger, "ROLLBACK")
        .await
        .unwrap();
    submit(&inventory, hold(id::new(), &[(1, 0, 1)]))
        .await
        .unwrap();
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_pool_keeps_nobody_from_the_others() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    let mut stranger = world.storage.connection().await;
    diesel_async::SimpleAsyncConnection::batch_execute(
        &mut stranger,
        "BEGIN; SELECT 1 FROM inv_pool WHERE pool_id = id(1) FOR UPDATE",
    )
    .await
    .unwrap();
    // The first is a batch of its own and waits; the others gather behind it and share the next one.
    let [first, locked, free] =
        [(1, 0, 1), (1, 1, 1), (2, 0, 1)].map(|wish| hold(id::new(), &[wish]));
    let (first, locked, free) = tokio::join!(
        submit(&inventory, first),
        submit(&inventory, locked),
        submit(&inventory, free)
    );
    assert!(matches!(first, Err(Failure::PoolBusy)), "{first:?}");
    assert!(matches!(locked, Err(Failure::PoolBusy)), "{locked:?}");
    free.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut stranger, "ROLLBACK")
        .await
        .unwrap();
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_buyers_in_opposite_orders_do_not_deadlock() {
    let world = World::new().await;
    let instances = [world.inventory(PoolLock::On), world.inventory(PoolLock::On)];
    let buyers: Vec<Uuid> = (0..40).map(|_| id::new()).collect();
    let calls = (0..80).map(|number: usize| {
        let index = if number.is_multiple_of(2) {
            number / 2
        } else {
            39 - number / 2
        };
        let inventory = &instances[number % 2];
        // Each instance its own pools: nothing but the caps is common.
        let first = u128::try_from(1 + number % 2).unwrap();
        submit(inventory, hold(buyers[index], &[(first, 10, 1)]))
    });
    for answer in join_all(calls).await {
        assert!(
            matches!(
                answer,
                Ok(_) | Err(Failure::Rejected(Rejection::UnitsTaken(_)))
            ),
            "{answer:?}"
        );
    }
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_find_their_holds_newest_first_page_by_page() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    let (buyer, other) = (id::new(), id::new());
    let mut made = Vec::new();
    for seat in 0..3 {
        let held = submit(&inventory, hold(buyer, &[(1, seat, 1)])).await;
        made.insert(0, held.unwrap().hold_id);
    }
    submit(&inventory, hold(other, &[(1, 5, 1)])).await.unwrap();
    let page = async |state, size, after| {
        let request = PageRequest { size, after };
        let page = reads::holds(&world.database, buyer, state, request).await;
        let page = page.unwrap();
        let ids: Vec<Uuid> = page.items.iter().map(|hold| hold.hold_id).collect();
        (ids, page.next)
    };
    let (first, next) = page(None, 2, None).await;
    assert_eq!(first, made[..2]);
    assert_eq!(page(None, 2, next).await, (made[2..].to_vec(), None));
    let release = Command::Release {
        hold_id: made[1],
        account_id: buyer,
    };
    inventory.submit(release).await.unwrap();
    assert_eq!(
        page(Some(HoldState::Held), 9, None).await,
        (vec![made[0], made[2]], None)
    );
    assert_eq!(
        page(Some(HoldState::Released), 9, None).await,
        (vec![made[1]], None)
    );
}
