//! What others hear of the stock: absolute levels, each step once, in the transaction that passes it.

use std::collections::BTreeSet;

use booking_svc::app::inventory::Inventory;
use booking_svc::domain::hold::Hold;
use booking_svc::domain::inventory::{Command, HoldUnits};
use booking_svc::store::inventory::PoolLock;
use futures_util::future::join_all;
use mesh::id;
use proto::usher::booking::events::v1::{
    InventoryChanged, InventoryLevel, InventoryReturned, InventorySoldOut,
};
use uuid::Uuid;

use crate::support::Storage;
use crate::world::{World, hold, submit};

/// Places of each pool of the world.
const ROOM: u64 = 15;
/// Makes the first pool large: ten seats of grade R, and an area of grade S.
const LARGE: &str = "UPDATE show SET units_per_buyer_max = 100; \
     UPDATE inv_unit SET capacity = 1270 WHERE pool_id = id(1) AND ord = 10; UPDATE inv_pool SET room = 1280 WHERE pool_id = id(1); \
     UPDATE inv_grade SET room = 1270 WHERE pool_id = id(1) AND grade = 'S'";
/// Steps of a pool's room that are told.
const STEPS: u64 = 64;

/// Holds and sells, as a saga does.
async fn sell(world: &World, inventory: &Inventory, wanted: HoldUnits) -> Hold {
    let hold_id = submit(inventory, wanted).await.unwrap().hold_id;
    let pay = format!("UPDATE hold SET state = 'PAYING' WHERE hold_id = '{hold_id}'");
    world.storage.sql(&pay).await;
    let confirm = Command::Confirm { hold_id };
    inventory.submit(confirm).await.unwrap()
}

fn seen(level: Option<&InventoryLevel>) -> (u64, u64, u64) {
    let level = level.expect("a level");
    (level.room, level.sold, level.sales)
}

/// (room, sold, sales) of every InventoryChanged, in order.
async fn changed(storage: &Storage) -> Vec<(u64, u64, u64)> {
    let told = storage.told::<InventoryChanged>().await;
    told.iter().map(|told| seen(told.level.as_ref())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_pool_tells_every_sale_and_its_end() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    // What is held, given back or refused is not sold.
    let held = submit(&inventory, hold(id::new(), &[(1, 0, 1), (1, 10, 3)])).await;
    let held = held.unwrap();
    let release = Command::Release {
        hold_id: held.hold_id,
        account_id: held.account_id,
    };
    inventory.submit(release).await.unwrap();
    assert_eq!(changed(&world.storage).await, []);

    // One hold of four places, and one over two pools.
    sell(
        &world,
        &inventory,
        hold(id::new(), &[(1, 0, 1), (1, 10, 3)]),
    )
    .await;
    let twice = sell(&world, &inventory, hold(id::new(), &[(1, 1, 1), (2, 1, 1)])).await;
    let expected = [(ROOM, 4, 1), (ROOM, 5, 2), (ROOM, 1, 1)];
    assert_eq!(changed(&world.storage).await, expected);
    // Sold already: the saga that asks again changes nothing.
    let again = Command::Confirm {
        hold_id: twice.hold_id,
    };
    inventory.submit(again).await.unwrap();
    assert_eq!(changed(&world.storage).await, expected);
    let last = world
        .storage
        .told::<InventoryChanged>()
        .await
        .pop()
        .unwrap();
    let version = "SELECT version::text AS t FROM inv_pool WHERE pool_id = id(2)";
    let last = last.level.unwrap();
    assert_eq!(
        world.storage.lines(version).await,
        [last.version.to_string()]
    );
    assert_eq!(
        (last.show_id, last.pool_id, last.pools),
        (
            Uuid::from_u128(1).to_string(),
            Uuid::from_u128(2).to_string(),
            4
        )
    );

    for seat in 2..10 {
        sell(&world, &inventory, hold(id::new(), &[(1, seat, 1)])).await;
    }
    assert!(world.storage.told::<InventorySoldOut>().await.is_empty());
    sell(&world, &inventory, hold(id::new(), &[(1, 10, 2)])).await;
    let out = world.storage.told::<InventorySoldOut>().await;
    let out: Vec<_> = out.iter().map(|told| seen(told.level.as_ref())).collect();
    assert_eq!(out, [(ROOM, ROOM, 11)]);
    // Ten sales of the first pool before its end, one of the second.
    assert_eq!(changed(&world.storage).await.len(), 11);
    assert_eq!(world.faults().await, Vec::<String>::new());
}

/// The step at which a level stands.
fn step(level: &InventoryLevel) -> u64 {
    (level.room - level.sold) * STEPS / level.room
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_pool_tells_each_step_once_whoever_sells() {
    let world = World::new().await;
    world.storage.sql(LARGE).await;
    let instances = [world.inventory(PoolLock::On), world.inventory(PoolLock::On)];
    // 640 of 1280 places: half of the steps. The first sale is alone, since the others share batches, which may pass several steps at once.
    let sale = |number: usize| {
        let (world, inventory) = (&world, &instances[number % 2]);
        async move { sell(world, inventory, hold(id::new(), &[(1, 10, 5)])).await }
    };
    sale(0).await;
    join_all((1..128).map(sale)).await;
    let told = world.storage.told::<InventoryChanged>().await;
    let mut levels: Vec<InventoryLevel> = told.into_iter().filter_map(|told| told.level).collect();
    let versions: BTreeSet<u64> = levels.iter().map(|level| level.version).collect();
    assert_eq!(versions.len(), levels.len(), "no version is told twice");
    levels.sort_by_key(|level| level.version);
    let steps: Vec<u64> = levels.iter().map(step).collect();
    assert!(steps.windows(2).all(|pair| pair[0] > pair[1]), "{steps:?}");
    // The first sale leaves the full room, and the last step is where the pool stands now.
    assert_eq!(
        steps.first().zip(steps.last()),
        Some((&63, &32)),
        "{steps:?}"
    );
    assert_eq!(world.faults().await, Vec::<String>::new());
}

/// Gives all of a sale back.
async fn take_back(inventory: &Inventory, sold: &Hold) {
    let back = Command::Return {
        hold_id: sold.hold_id,
        units: sold.lines.iter().map(|line| line.unit).collect(),
    };
    inventory.submit(back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_told_once() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    let mut sold = Vec::new();
    for seat in 0..10 {
        sold.push(sell(&world, &inventory, hold(id::new(), &[(1, seat, 1)])).await);
    }
    sell(&world, &inventory, hold(id::new(), &[(1, 10, 4)])).await;
    sell(&world, &inventory, hold(id::new(), &[(1, 10, 1)])).await;
    take_back(&inventory, &sold[0]).await;
    take_back(&inventory, &sold[1]).await;
    let back = world.storage.told::<InventoryReturned>().await;
    let back: Vec<_> = back.iter().map(|told| seen(told.level.as_ref())).collect();
    assert_eq!(back, [(ROOM, ROOM - 1, 11)]);
    let last = changed(&world.storage).await.pop();
    assert_eq!(last, Some((ROOM, ROOM - 2, 10)), "the second is a step");
    // Sold again, it is sold out again.
    let again = hold(id::new(), &[(1, 0, 1), (1, 1, 1)]);
    sell(&world, &inventory, again).await;
    assert_eq!(world.storage.told::<InventorySoldOut>().await.len(), 2);
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_and_the_return_of_a_grade_are_told_between_steps() {
    let world = World::new().await;
    world.storage.sql(LARGE).await;
    let inventory = world.inventory(PoolLock::On);
    sell(&world, &inventory, hold(id::new(), &[(1, 10, 1)])).await;
    let seats: Vec<_> = (0..9).map(|seat| (1, seat, 1)).collect();
    sell(&world, &inventory, hold(id::new(), &seats)).await;
    assert_eq!(changed(&world.storage).await, [(1280, 1, 1)]);
    let last = sell(&world, &inventory, hold(id::new(), &[(1, 9, 1)])).await;
    take_back(&inventory, &last).await;
    let told = world.storage.told::<InventoryChanged>().await;
    let grades = told.into_iter().map(|told| {
        let grades = told.level.unwrap().grades.into_iter();
        let grades = grades.map(|grade| (grade.grade, grade.room, grade.sold));
        grades.collect::<Vec<_>>()
    });
    let expected = [(0, 1), (10, 1), (9, 1)]
        .map(|(r, s)| vec![("R".to_owned(), 10, r), ("S".to_owned(), 1270, s)]);
    assert_eq!(grades.collect::<Vec<_>>(), expected);
    assert_eq!(world.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_that_were_there_before_are_counted() {
    let world = World::new().await;
    let inventory = world.inventory(PoolLock::On);
    sell(
        &world,
        &inventory,
        hold(id::new(), &[(1, 0, 1), (1, 10, 3)]),
    )
    .await;
    sell(&world, &inventory, hold(id::new(), &[(1, 1, 1), (2, 1, 1)])).await;
    submit(&inventory, hold(id::new(), &[(1, 2, 1)]))
        .await
        .unwrap();
    let blocked = "UPDATE inv_unit SET overbook = 4, blocked = 1 WHERE pool_id = id(3) AND ord = 10; \
         DELETE FROM price WHERE performance_id = id(4); DELETE FROM inv_unit WHERE pool_id = id(4)";
    world.storage.sql(blocked).await;
    for [down, up] in [
        [
            include_str!("../../migrations/2026-01-02-000008_count_pools/down.sql"),
            include_str!("../../migrations/2026-01-02-000008_count_pools/up.sql"),
        ],
        [
            include_str!("../../migrations/2026-01-02-000011_count_grades/down.sql"),
            include_str!("../../migrations/2026-01-02-000011_count_grades/up.sql"),
        ],
    ] {
        world.storage.sql(down).await;
        world.storage.sql(&format!("BEGIN; {up} COMMIT")).await;
    }
    let counted = "SELECT room || ' ' || sold || ' ' || sales AS t FROM inv_pool ORDER BY pool_id";
    let expected = ["15 5 2", "15 1 1", "18 0 0", "0 0 0"];
    assert_eq!(world.storage.lines(counted).await, expected);
    let by_grade =
        "SELECT concat_ws(' ', grade, room, sold) AS t FROM inv_grade ORDER BY pool_id, grade";
    let expected = ["R 10 2", "S 5 3", "R 10 1", "S 5 0", "R 10 0", "S 8 0"];
    assert_eq!(world.storage.lines(by_grade).await, expected);
}
