//! The tables: they go up and down, say what they are, and refuse what the code would never write.

use std::fs;
use std::path::Path;
use std::time::Duration;

use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, constraint, migrate};
use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::domain::plan::{LineOrder, Plan};
use queue_svc::domain::room::Room;
use queue_svc::store::{MIGRATIONS, places, rooms, shows};

use crate::service::number;

/// Every table of the service.
const TABLES: [&str; 7] = [
    "room",
    "room_lane",
    "used_place",
    "show_owner",
    "stock",
    "departure",
    "invitation",
];
/// A room with as little as possible.
const ROOM: &str = "INSERT INTO room (show_id, state, capacity, rate, burst, offer_seconds, session_seconds, grace_seconds, silence_seconds,
    waiting_max, buckets, weights) VALUES (gen_random_uuid(), 'OPEN', 1, 1, 1, 90, 900, 600, 120, 100, 64, '{1,1,1,4}')";

async fn migrated() -> (TestDatabase, Connection) {
    let storage = TestDatabase::create().await.unwrap();
    migrate(storage.url(), &[MIGRATIONS]).await.unwrap();
    let connection = Connection::establish(storage.url().expose()).await.unwrap();
    (storage, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up_again_and_every_column_says_what_it_is() {
    let (_storage, mut connection) = migrated().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut folders: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let tables = format!("relkind = 'r' AND relname IN ('{}')", TABLES.join("', '"));
    let count = format!("SELECT count(*) AS n FROM pg_class WHERE {tables}");
    let all = i64::try_from(TABLES.len()).unwrap();
    assert_eq!(number(&mut connection, &count).await, all);
    for migration in folders.iter().rev() {
        let down = fs::read_to_string(migration.join("down.sql")).unwrap();
        connection.batch_execute(&down).await.unwrap();
    }
    assert_eq!(number(&mut connection, &count).await, 0);
    for migration in &folders {
        let up = fs::read_to_string(migration.join("up.sql")).unwrap();
        connection.batch_execute(&up).await.unwrap();
    }
    assert_eq!(number(&mut connection, &count).await, all);
    let silent = format!(
        "SELECT count(*) AS n FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
         WHERE {tables} AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"
    );
    assert_eq!(number(&mut connection, &silent).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wall_stands() {
    let (_storage, mut connection) = migrated().await;
    connection.batch_execute(ROOM).await.unwrap();
    for (change, wall) in [
        ("state = 'SHUT'", "room_state_known"),
        ("epoch = 0", "room_counters"),
        ("capacity = 0", "room_capacity"),
        ("rate = 100001", "room_rate"),
        ("waiting_per_place = 0", "room_waiting_per_place"),
        ("lottery = true", "room_seed"),
        ("seed = 'short'", "room_seed"),
        ("drawn = true", "room_draw"),
        ("draw_entrants = '{1,2,3}'", "room_draw"),
        ("weights = '{1,1,1}'", "room_weights"),
        ("weights = '{1,1,0,1}'", "room_weights"),
        ("open_time = now(), close_time = now()", "room_schedule"),
        (
            "arm_time = now(), open_time = now() - interval '1 s'",
            "room_schedule",
        ),
    ] {
        let refused = connection
            .batch_execute(&format!("UPDATE room SET {change}"))
            .await;
        assert_eq!(constraint(&refused.unwrap_err()), Some(wall), "{change}");
    }
    for (row, wall) in [
        ("room_lane SELECT show_id, 4 FROM room", "room_lane_known"),
        (
            "room_lane SELECT show_id, 1, -1 FROM room",
            "room_lane_reserved",
        ),
        ("room_lane VALUES (gen_random_uuid(), 1)", "room_lane_room"),
        (
            "used_place VALUES (gen_random_uuid(), 1, 1, 1)",
            "used_place_room",
        ),
    ] {
        let refused = connection
            .batch_execute(&format!("INSERT INTO {row}"))
            .await;
        assert_eq!(constraint(&refused.unwrap_err()), Some(wall), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_taken_once_and_only_for_the_generation_that_is() {
    let (_storage, mut connection) = migrated().await;
    let plan = plan();
    let room = Room::new(mesh::id::new(), Some(mesh::id::new()), plan).seeded([5; 32]);
    assert!(rooms::insert(&mut connection, &room).await.unwrap());
    assert!(
        !rooms::insert(&mut connection, &room).await.unwrap(),
        "a second time it is there"
    );
    let found = rooms::find(&mut connection, room.show_id, false)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&room));
    let first = rooms::next_generation(&mut connection, room.show_id, (1, 0), 100)
        .await
        .unwrap();
    assert_eq!(first, Some([Block { first: 0, end: 100 }; 3]));
    let lost = rooms::next_generation(&mut connection, room.show_id, (1, 0), 100)
        .await
        .unwrap();
    assert_eq!(lost, None, "somebody else was quicker");
    let other = rooms::next_generation(&mut connection, room.show_id, (2, 1), 100)
        .await
        .unwrap();
    assert_eq!(other, None, "a line of another epoch begins nothing");
    let lane = Lane::Presale;
    let more = rooms::reserve(&mut connection, room.show_id, 1, lane, 10)
        .await
        .unwrap();
    assert_eq!(
        more,
        Some(Block {
            first: 100,
            end: 110
        })
    );
    let second = rooms::next_generation(&mut connection, room.show_id, (1, 1), 100)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        second[1],
        Block {
            first: 110,
            end: 210
        }
    );
    let stale = rooms::reserve(&mut connection, room.show_id, 1, lane, 10)
        .await
        .unwrap();
    assert_eq!(
        stale, None,
        "a line of an older generation gets no numbers of the new one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_place_is_remembered_for_its_epoch() {
    let (_storage, mut connection) = migrated().await;
    let room = Room::new(mesh::id::new(), None, plan()).seeded([5; 32]);
    rooms::insert(&mut connection, &room).await.unwrap();
    let spot = |lane, seq| Spot { lane, seq };
    let (used, other) = (spot(Lane::General, 5), spot(Lane::Access, 5));
    for _ in 0..2 {
        places::use_up(&mut connection, room.show_id, 1, &[used])
            .await
            .unwrap();
    }
    let found = places::used(&mut connection, room.show_id, 1, &[used, other])
        .await
        .unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [used]);
    let later = places::used(&mut connection, room.show_id, 2, &[used])
        .await
        .unwrap();
    assert!(later.is_empty());
}

fn plan() -> Plan {
    let seconds = Duration::from_secs;
    Plan {
        capacity: 100,
        rate: 10,
        burst: 10,
        offer: seconds(90),
        session: seconds(900),
        grace: seconds(600),
        silence: seconds(120),
        waiting_max: 1_000,
        weights: [1, 1, 1, 4],
        arm_time: None,
        open_time: None,
        close_time: None,
        strict: true,
        waiting_per_place: 20,
        order: LineOrder::Lottery,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_departure_is_told_to_each_generation_until_its_passes_have_ended() {
    let (_storage, mut connection) = migrated().await;
    let room = Room::new(mesh::id::new(), None, plan()).seeded([5; 32]);
    let (show_id, account) = (room.show_id, mesh::id::new());
    rooms::insert(&mut connection, &room).await.unwrap();
    let now = mesh::pg::now(&mut connection).await.unwrap();
    let all = [show_id, mesh::id::new()];
    shows::note_departures(&mut connection, &all, account, now)
        .await
        .unwrap();
    let mut left = Vec::new();
    for told in [0, 1, 1] {
        rooms::next_generation(&mut connection, show_id, (1, told), 100)
            .await
            .unwrap();
        let departures = shows::departures(&mut connection, &all, 10).await.unwrap();
        let generation = i64::try_from(told + 1).unwrap();
        shows::note_told(&mut connection, &departures, generation)
            .await
            .unwrap();
        shows::forget_departures(&mut connection).await.unwrap();
        left.push(departures.len());
    }
    assert_eq!(
        left,
        [1, 1, 0],
        "once for each of two generations, not again"
    );
    let rows = "SELECT count(*) AS n FROM departure";
    assert_eq!(number(&mut connection, rows).await, 1);
    let long_ago = "UPDATE departure SET told_time = now() - interval '3 minutes'";
    connection.batch_execute(long_ago).await.unwrap();
    shows::forget_departures(&mut connection).await.unwrap();
    assert_eq!(number(&mut connection, rows).await, 0);
}
