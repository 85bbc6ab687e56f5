//! Lots: the line against a model of a draw, and the whole service as people, operators and auditors see it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use mesh::identity::Role;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::PlaceState;
use queue_svc::domain::draw::{Draw, Ranks};
use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::line::view::View;
use queue_svc::line::{Asker, CHUNK, Joiner, Line, LineError, Mode, Settings, Standing, Tag};
use redis::Pipeline;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use uuid::Uuid;

use crate::losses::settings as line_settings;
use crate::people::forget;
use crate::service::{Home, Instance, reason, until};
use crate::support::{Stage, on_test_seams, redis};

/// Draws that are played; each has up to sixty entries.
const DRAWS: u32 = 60;
/// First number: a few before the end of a chunk, so that entries lie in two.
const FIRST: u64 = CHUNK - 20;

fn tag(account: u32) -> Tag {
    let mut digest = [9; 10];
    digest[..4].copy_from_slice(&account.to_be_bytes());
    let bucket = account % 3;
    Tag { digest, bucket }
}

fn mode(version: u64, mode: Mode) -> Settings {
    Settings {
        mode,
        ..line_settings(version)
    }
}

/// What became of an entry before the draw.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Waits,
    Left,
    Silent,
}

/// A line with entries of these fates; the number of each, in order.
async fn entered(stage: &Stage, fates: &[(Lane, Fate)]) -> Vec<Spot> {
    let line = &stage.line;
    stage.set("clock", 1_700_000_000_000_i64).await;
    stage.set("fence", "a server").await;
    let block = Block {
        first: FIRST,
        end: FIRST + 1_000,
    };
    line.recover(1, Duration::ZERO, [block; 3]).await.unwrap();
    line.configure(1, &mode(1, Mode::Armed)).await.unwrap();
    let joiners: Vec<Joiner> = (0..)
        .zip(fates)
        .map(|(account, (lane, _))| Joiner {
            tag: tag(account),
            lane: *lane,
            adopt: None,
        })
        .collect();
    let (_, told) = line.join(1, 1_000, &joiners).await.unwrap();
    let spots: Vec<Spot> = told.iter().map(|told| told.spot.unwrap()).collect();
    for (spot, (_, fate)) in spots.iter().zip(fates) {
        if *fate == Fate::Left {
            line.leave(1, *spot).await.unwrap();
        }
    }
    silence(stage, &spots, fates).await;
    line.configure(1, &mode(2, Mode::Drawing)).await.unwrap();
    spots
}

/// Whoever is silent is gone after two periods.
async fn silence(stage: &Stage, spots: &[Spot], fates: &[(Lane, Fate)]) {
    let silence = queue_svc::domain::pace::silence(1, 1, Duration::from_secs(60));
    for second in [0_i64, 1_000, 2_000, 3_000] {
        stage
            .set("clock", 1_700_000_000_000_i64 + second * 1_000)
            .await;
        for (spot, (_, fate)) in spots.iter().zip(fates) {
            if *fate == Fate::Waits {
                let mut bits = vec![0; 8_192];
                let bit = spot.seq % CHUNK;
                bits[usize::try_from(bit / 8).unwrap()] = 0x80 >> (bit % 8);
                let (lane, chunk) = (spot.lane, spot.seq / CHUNK);
                stage.line.beat(1, lane, chunk, bits).await.unwrap();
            }
        }
        for lane in Lane::ALL {
            for chunk in [0, 1] {
                stage.line.reap(1, lane, chunk, silence).await.unwrap();
            }
        }
    }
}

/// Somebody who did not enter.
fn latecomer() -> Joiner {
    Joiner {
        tag: tag(999),
        lane: Lane::General,
        adopt: None,
    }
}

async fn play(fates: &[(Lane, Fate)], seed: [u8; 32], twice: bool) {
    let stage = Stage::new(&redis(), &on_test_seams());
    let spots = entered(&stage, fates).await;
    let line = &stage.line;
    let refused = line.join(1, 1_000, &[latecomer()]).await.unwrap().1;
    assert_eq!(refused[0].standing, Standing::Refused(Mode::Drawing));
    let entries = line.entries(1, 2).await.unwrap().unwrap();
    let draw = Draw {
        entrants: entries.map(|count| u32::try_from(count).unwrap()),
        first: [2 * CHUNK; 3],
        reserved: [4 * CHUNK; 3],
        done: false,
    };
    let ranks = Ranks::of(&seed, &draw);
    // Two instances at once, or one after the other.
    let (one, other) = tokio::join!(
        line.draw(1, &draw, &ranks, 3),
        line.draw(1, &draw, &ranks, 3)
    );
    assert!(one.unwrap() && other.unwrap());
    if twice {
        assert!(line.draw(1, &draw, &ranks, 3).await.unwrap());
    }
    line.configure(1, &mode(3, Mode::Paused)).await.unwrap();
    assert!(
        !line.draw(1, &draw, &ranks, 3).await.unwrap(),
        "who is late changes nothing"
    );

    let places: Vec<Spot> = spots
        .iter()
        .map(|spot| draw.place(*spot, &ranks).unwrap())
        .collect();
    for spot in &spots {
        // Whoever has not heard of the draw changes nothing by numbers of entries.
        let left = line.leave(1, *spot).await;
        assert!(matches!(left, Err(LineError::Generation(1))), "{left:?}");
    }
    compare_lanes(line, &places, fates).await;
    compare_accounts(line, &places, fates).await;
}

/// Who waits stands in order of the places that were drawn.
async fn compare_lanes(line: &Line, places: &[Spot], fates: &[(Lane, Fate)]) {
    let mut view = View::default();
    line.refresh(&mut view).await.unwrap();
    for lane in Lane::ALL {
        let mut expected: Vec<Spot> = places
            .iter()
            .zip(fates)
            .filter(|(place, (_, fate))| place.lane == lane && *fate == Fate::Waits)
            .map(|(place, _)| *place)
            .collect();
        expected.sort_unstable();
        for (place, position) in expected.iter().zip(1..) {
            assert_eq!(view.position(*place), Some((position, false)));
        }
        assert_eq!(view.lane(lane).live, u64::try_from(expected.len()).unwrap());
    }
}

/// Accounts know their places by now, whoever was silent comes back to the one that was drawn, and whoever joins is behind.
async fn compare_accounts(line: &Line, places: &[Spot], fates: &[(Lane, Fate)]) {
    for (account, (place, (_, fate))) in (0..).zip(places.iter().zip(fates)) {
        let asker = Asker {
            tag: tag(account),
            spot: *place,
            adopt: false,
        };
        let told = line.touch(1, &[asker]).await.unwrap().1[0];
        let expected = if *fate == Fate::Left {
            Standing::Ended
        } else {
            Standing::Waiting
        };
        assert_eq!(
            (told.spot, told.standing),
            (Some(*place), expected),
            "{fate:?}"
        );
    }
    let late = line.join(1, 1_000, &[latecomer()]).await.unwrap().1[0];
    assert!(
        places
            .iter()
            .all(|place| place.lane != Lane::General || place.seq < late.spot.unwrap().seq),
        "{late:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_gets_the_place_of_its_rank_and_the_line_goes_on_behind() {
    let lane =
        prop_oneof![3 => Just(Lane::General), 1 => Just(Lane::Presale), 1 => Just(Lane::Access)];
    let fate = prop_oneof![4 => Just(Fate::Waits), 1 => Just(Fate::Left), 1 => Just(Fate::Silent)];
    let cases = (
        prop::collection::vec((lane, fate), 0..60),
        any::<[u8; 32]>(),
        any::<bool>(),
    );
    let mut runner = TestRunner::new(Config {
        cases: DRAWS,
        ..Config::default()
    });
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&cases, |(fates, seed, twice)| {
            runtime.block_on(play(&fates, seed, twice));
            Ok(())
        })
    })
    .unwrap();
}

async fn lottery(instance: &Instance, show_id: Uuid) -> pb::Lottery {
    let request = pb::GetLotteryRequest {
        show_id: show_id.to_string(),
    };
    let told = instance.queue.clone().get_lottery(request).await.unwrap();
    told.into_inner().lottery.unwrap()
}

/// Armed an hour ago; opens in so many seconds, if nobody opens it before.
fn armed(seconds: i64) -> pb::RoomSettings {
    let time = |seconds| {
        let time = mesh::clock::now() + chrono::Duration::seconds(seconds);
        Some(mesh::clock::to_timestamp(time))
    };
    pb::RoomSettings {
        arm_time: time(-3_600),
        open_time: time(seconds),
        order: pb::LineOrder::Lottery.into(),
        ..crate::service::settings(1)
    }
}

/// Far away: nobody watches the draw yet.
const LATER: i64 = 3_600;
/// Near enough to be watched.
const SOON: i64 = 110;

async fn open(instance: &Instance, home: &Home, show_id: Uuid) {
    let request = pb::OpenRoomRequest {
        request_id: mesh::id::new().to_string(),
        show_id: show_id.to_string(),
        reason: "the draw".to_owned(),
    };
    let request = home.by(home.admin(), Role::Admin, request);
    instance.rooms.clone().open_room(request).await.unwrap();
}

/// What the audit command says of a draw.
async fn audit(told: &pb::Lottery, arguments: &[&str]) -> (bool, String) {
    let lanes: Vec<_> = told.lanes.iter().map(|lane| serde_json::json!({"lane": lane.lane().as_str_name(), "entries": lane.entries.to_string()})).collect();
    let answer = serde_json::json!({"lottery": {"commitment": told.commitment, "seed": told.seed, "lanes": lanes}});
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher-lottery"));
    let mut child = command
        .arg("audit")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(answer.to_string().as_bytes())
        .await
        .unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// So many people enter; each is told the next number.
async fn enter(
    instance: &Instance,
    home: &Home,
    show_id: Uuid,
    count: u64,
) -> Vec<(Uuid, pb::Place)> {
    let mut people = Vec::new();
    for number in 1..=count {
        let account = mesh::id::new();
        let place = instance.join(home, show_id, account, "").await.unwrap();
        assert_eq!(
            (place.state(), place.entry, place.position),
            (PlaceState::Entered, number, 0)
        );
        people.push((account, place));
    }
    people
}

/// The rank of each entry of the general lane, as the audit command computes it.
async fn ranks(held: &pb::Lottery) -> BTreeMap<u64, u64> {
    let (whole, drawn) = audit(held, &["--all"]).await;
    assert!(whole, "{drawn}");
    // Lanes in which nobody entered have numbers, too, once Redis lost something.
    let of_lane = drawn
        .lines()
        .filter_map(|line| line.strip_prefix("LANE_GENERAL,"));
    let numbers = |line: &str| {
        let (entry, rank) = line.split_once(',').unwrap();
        (entry.parse().unwrap(), rank.parse().unwrap())
    };
    of_lane.map(numbers).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lots_decide_among_those_who_came_before_and_anybody_can_check_them() {
    let home = Home::new().await;
    let (instance, other) = (home.start().await, home.start().await);
    let show_id = mesh::id::new();
    let room = instance.put(&home, show_id, armed(SOON)).await.unwrap();
    assert_eq!(room.phase(), pb::RoomPhase::Armed);
    let promised = lottery(&instance, show_id).await;
    assert!(
        promised.commitment.len() == 64 && promised.seed.is_empty() && promised.lanes.is_empty()
    );
    let (told, said) = audit(&promised, &[]).await;
    assert!(!told && said.contains("secret"), "{said}");
    let people = enter(&instance, &home, show_id, 40).await;
    let fixed = pb::RoomSettings {
        order: pb::LineOrder::Arrival.into(),
        ..armed(SOON)
    };
    let refused = instance.put(&home, show_id, fixed).await.unwrap_err();
    assert_eq!(reason(&refused), "ORDER_FIXED");

    open(&instance, &home, show_id).await;
    let late = mesh::id::new();
    let behind = until("late ones may join", async || {
        instance
            .join(&home, show_id, late, "")
            .await
            .ok()
            .filter(|place| place.state() == PlaceState::Waiting)
    })
    .await;
    let held = lottery(&instance, show_id).await;
    assert_eq!(held.commitment, promised.commitment);
    let ranks = ranks(&held).await;
    assert_eq!(ranks.len(), 40);
    // One of them is inside or offered; whoever waits stands as the lots say, on either instance.
    let mut order = Vec::new();
    for (account, place) in &people {
        let told = until("the place is known", async || {
            let told = other
                .poll(&home, show_id, *account, &place.ticket)
                .await
                .ok()?;
            (told.state() != PlaceState::Entered).then_some(told)
        })
        .await;
        order.push((ranks[&place.entry], told));
    }
    order.sort_by_key(|(rank, _)| *rank);
    let (first, rest) = order.split_first().unwrap();
    assert_eq!(first.1.state(), PlaceState::Offered, "{first:?}");
    let positions: Vec<u64> = rest.iter().map(|(_, place)| place.position).collect();
    assert_eq!(positions, (1..=39).collect::<Vec<_>>());
    let tail = other
        .poll(&home, show_id, late, &behind.ticket)
        .await
        .unwrap();
    assert_eq!(tail.position, 40);
    let tickets: BTreeSet<&String> = order.iter().map(|(_, place)| &place.ticket).collect();
    assert_eq!(tickets.len(), 40, "each has a ticket for the new place");
    check(&promised, &held, &ranks).await;
    instance.stop().await;
    other.stop().await;
}

/// Anybody checks the draw, and notices one that is forged.
async fn check(promised: &pb::Lottery, held: &pb::Lottery, ranks: &BTreeMap<u64, u64>) {
    let (told, said) = audit(
        held,
        &["--commitment", &promised.commitment, "--entry", "7"],
    )
    .await;
    assert!(
        told && said.contains(&format!("entry 7: rank {}\n", ranks[&7])),
        "{said}"
    );
    let forged = pb::Lottery {
        seed: "00".repeat(32),
        ..held.clone()
    };
    let (told, said) = audit(&forged, &[]).await;
    assert!(
        !told && said.contains("not the one of the commitment"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_the_draw_learns_the_place() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = mesh::id::new();
    instance.put(&home, show_id, armed(SOON)).await.unwrap();
    let people = enter(&instance, &home, show_id, 2).await;
    let mut stream = instance
        .watch(&home, show_id, people[0].0, &people[0].1.ticket)
        .await
        .unwrap();
    let told = stream.message().await.unwrap().unwrap().place.unwrap();
    assert_eq!(told.state(), PlaceState::Entered);
    open(&instance, &home, show_id).await;
    let told = until("the lots are drawn", async || {
        let place = stream.message().await.unwrap()?.place.unwrap();
        (place.state() != PlaceState::Entered).then_some(place)
    })
    .await;
    assert!(
        matches!(told.state(), PlaceState::Waiting | PlaceState::Offered),
        "{told:?}"
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_lots_has_none() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, crate::service::settings(1)).await;
    for (show_id, expected) in [
        (show_id, "LOTTERY_NOT_FOUND"),
        (mesh::id::new(), "ROOM_NOT_FOUND"),
    ] {
        let request = pb::GetLotteryRequest {
            show_id: show_id.to_string(),
        };
        let refused = instance
            .queue
            .clone()
            .get_lottery(request)
            .await
            .unwrap_err();
        assert_eq!(reason(&refused), expected);
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_before_and_after_the_draw_change_no_rank() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = mesh::id::new();
    instance.put(&home, show_id, armed(LATER)).await.unwrap();
    let mut people: Vec<(Uuid, u64, String)> = enter(&instance, &home, show_id, 12)
        .await
        .into_iter()
        .map(|(account, place)| (account, place.entry, place.ticket))
        .collect();
    let poll = async |account: Uuid, ticket: &str| {
        until("the line answers", async || {
            let polled = instance.poll(&home, show_id, account, ticket).await;
            polled.ok()
        })
        .await
    };
    let generation = async |least: i64| {
        until("the room recovers", async || {
            let found = home.number("SELECT generation AS n FROM room").await;
            (found >= least).then_some(())
        })
        .await;
    };
    // Redis forgets the entries; half of the people come back before the draw, the others after it.
    forget(show_id).await;
    generation(2).await;
    for (account, entry, ticket) in &people[..6] {
        let place = poll(*account, ticket).await;
        assert_eq!(
            (place.state(), place.entry),
            (PlaceState::Entered, *entry),
            "the entry is the same"
        );
    }
    open(&instance, &home, show_id).await;
    drawn_in(&home, 2).await;
    let waits = async |account: Uuid, ticket: &str| {
        until("the place is known", async || {
            let place = poll(account, ticket).await;
            (place.state() == PlaceState::Waiting).then_some(place)
        })
        .await
    };
    for (account, _, ticket) in &people[6..] {
        waits(*account, ticket).await;
    }
    // It forgets the places, too: everybody comes back with the ticket of the entry.
    forget(show_id).await;
    generation(3).await;
    for (account, _, ticket) in people.iter().rev() {
        waits(*account, ticket).await;
    }
    until("the view has everybody", async || {
        (instance.stats(&home, show_id).await.general == 12).then_some(())
    })
    .await;
    let held = lottery(&instance, show_id).await;
    let ranks = ranks(&held).await;
    people.sort_by_key(|(_, entry, _)| ranks[entry]);
    let mut positions = Vec::new();
    for (account, _, ticket) in &people {
        positions.push(waits(*account, ticket).await.position);
    }
    assert_eq!(positions, (1..=12).collect::<Vec<_>>());
    instance.stop().await;
}

/// Waits until the draw is over on the line of this generation or a later one.
async fn drawn_in(home: &Home, generation: i64) {
    let drawn =
        format!("SELECT count(*) AS n FROM room WHERE drawn AND generation >= {generation}");
    until("the draw is over", async || {
        (home.number(&drawn).await == 1).then_some(())
    })
    .await;
}

/// Every key of a room as it is now.
async fn remember(show_id: Uuid) -> Vec<(String, Vec<u8>)> {
    let redis = redis();
    let mut look = Pipeline::with_capacity(1);
    look.cmd("KEYS").arg(format!("usher:queue:{{{show_id}}}:*"));
    let found = redis.run(&look).await.unwrap().pop().unwrap();
    let keys: Vec<String> = redis::from_redis_value(found).unwrap();
    let mut dump = Pipeline::with_capacity(keys.len());
    for key in &keys {
        dump.cmd("DUMP").arg(key);
    }
    let values = redis.run(&dump).await.unwrap();
    let values = values
        .into_iter()
        .map(|value| redis::from_redis_value(value).unwrap());
    keys.into_iter().zip(values).collect()
}

/// Redis restarts with what it had then.
async fn go_back(show_id: Uuid, before: &[(String, Vec<u8>)]) {
    forget(show_id).await;
    let mut restore = Pipeline::with_capacity(before.len() + 1);
    for (key, value) in before {
        restore.cmd("RESTORE").arg(key).arg(0).arg(value);
        if key.ends_with(":m") {
            restore.cmd("HSET").arg(key).arg("fence").arg("of before");
        }
    }
    redis().run(&restore).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_that_redis_forgot_is_repeated_as_it_was() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = mesh::id::new();
    instance.put(&home, show_id, armed(LATER)).await.unwrap();
    let people = enter(&instance, &home, show_id, 10).await;
    let before = remember(show_id).await;
    open(&instance, &home, show_id).await;
    drawn_in(&home, 1).await;
    // Half of them have tickets of their places when it forgets.
    let mut people: Vec<(Uuid, u64, String)> = people
        .into_iter()
        .map(|(account, place)| (account, place.entry, place.ticket))
        .collect();
    for (account, _, ticket) in &mut people[..5] {
        let told = until("the place is known", async || {
            let place = instance.poll(&home, show_id, *account, ticket).await.ok()?;
            (place.state() != PlaceState::Entered).then_some(place)
        })
        .await;
        *ticket = told.ticket;
    }
    go_back(show_id, &before).await;
    drawn_in(&home, 2).await;
    let held = lottery(&instance, show_id).await;
    let ranks = ranks(&held).await;
    for (account, entry, ticket) in &people {
        let told = until("the place is known", async || {
            let place = instance.poll(&home, show_id, *account, ticket).await.ok()?;
            (place.state() != PlaceState::Entered).then_some(place)
        })
        .await;
        assert_eq!(
            (told.state(), told.position),
            (PlaceState::Waiting, ranks[entry])
        );
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_watches_a_draw_that_is_far_away() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = mesh::id::new();
    instance.put(&home, show_id, armed(LATER)).await.unwrap();
    let account = mesh::id::new();
    let place = instance.join(&home, show_id, account, "").await.unwrap();
    let mut stream = instance
        .watch(&home, show_id, account, &place.ticket)
        .await
        .unwrap();
    let told = stream.message().await.unwrap().unwrap().place.unwrap();
    assert_eq!(told.state(), PlaceState::Entered);
    assert!(told.poll_after.unwrap().seconds >= 15, "{told:?}");
    assert_eq!(stream.message().await.unwrap(), None);
    instance.stop().await;
}
