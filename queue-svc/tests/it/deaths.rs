//! The Redis of a line is killed, or a replica of it is promoted that lacks the last writes: what clients hold afterwards, with the fence
//! and without it.

use std::time::Duration;

use mesh::redis::Library;
use queue_svc::domain::lane::Block;
use queue_svc::line::{Joiner, Line, LineError, Settings, Standing, library, library_on};

use crate::history::{Bounds, Event, Notes, broken, is_close_to};
use crate::losses::{joiner, settings as three};
use crate::servers::Server;
use crate::service::until;

/// The clock of the server, and no fence: it never seems to be another one.
const UNFENCED: &str = "
local function clock() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
local function fence() return 'always the same' end
";
const SKEW: Duration = Duration::from_millis(500);
/// A test can wait for its end.
const SHORT: Duration = Duration::from_secs(3);
/// A test ends before it.
const LONG: Duration = Duration::from_secs(600);

const BOUNDS: Bounds = Bounds {
    capacity: 3,
    rate: 20,
    burst: 2,
};

#[derive(Clone, Copy)]
enum Death {
    /// It comes back with what it had saved before the last passes.
    Killed,
    /// A replica takes its place that did not hear of the last passes.
    Replaced,
}

fn settings(version: u64, pass: Duration) -> Settings {
    Settings {
        pass,
        skew: SKEW,
        rate: 20,
        burst: 2,
        ..three(version)
    }
}

async fn set_up(line: &Line, generation: u64, hold: Duration, pass: Duration) {
    let first = (generation - 1) * 1_000;
    let end = first + 1_000;
    let block = Block { first, end };
    line.recover(generation, hold, [block; 3]).await.unwrap();
    let settings = settings(generation, pass);
    line.configure(generation, &settings).await.unwrap();
}

/// People join, claim and are let in, until each has had a pass.
async fn get_in(line: &Line, generation: u64, accounts: &[u32], notes: &mut Notes) {
    let joiners: Vec<Joiner> = accounts.iter().map(|account| joiner(*account)).collect();
    let mut left = accounts.to_vec();
    until("they are in", async || {
        line.admit(generation, 10).await.unwrap();
        let (now, told) = line.join(generation, 1_000, &joiners).await.unwrap();
        let mut offered = Vec::new();
        for (account, told) in accounts.iter().zip(told) {
            notes.note(*account, (now, now), told);
            match told.standing {
                Standing::Offered { .. } => offered.push((*account, told.spot.unwrap())),
                Standing::Admitted(_) => left.retain(|waits| waits != account),
                _ => {}
            }
        }
        let spots: Vec<_> = offered.iter().map(|(_, spot)| *spot).collect();
        let (now, told) = line.claim(generation, &spots).await.unwrap();
        for ((account, _), told) in offered.into_iter().zip(told) {
            notes.note(account, (now, now), told);
            if let Standing::Admitted(_) = told.standing {
                left.retain(|waits| *waits != account);
            }
        }
        left.is_empty().then_some(())
    })
    .await;
}

/// Three get in, and what is left of the server does not know them.
async fn three_are_forgotten(
    death: Death,
    functions: &Library,
    pass: Duration,
) -> (Server, Line, Notes) {
    let show_id = mesh::id::new();
    let line_on =
        |server: &Server| Line::new(server.redis.clone(), functions.clone(), show_id, 1, None);
    let (mut primary, replica) = (Server::start().await, Server::start().await);
    let line = line_on(&primary);
    if let Death::Replaced = death {
        replica.follow(&primary).await;
    }
    set_up(&line, 1, Duration::ZERO, pass).await;
    match death {
        Death::Killed => {
            primary.run(&["SAVE"]).await.unwrap();
        }
        Death::Replaced => {
            let known = primary.run(&["WAIT", "1", "30000"]).await.unwrap();
            assert!(known.contains("int(1)"), "{known}");
            primary.fall_silent_to_replicas().await;
        }
    }
    let mut notes = Notes::new(three(1).offer, three(1).session);
    get_in(&line, 1, &[1, 2, 3], &mut notes).await;
    let from = mesh::clock::now().timestamp_millis();
    primary.kill();
    let survivor = match death {
        Death::Killed => {
            primary.start_again().await;
            primary
        }
        Death::Replaced => {
            replica.lead().await;
            replica
        }
    };
    let until = mesh::clock::now().timestamp_millis();
    notes.history.push(Event::Lost { from, until });
    let line = line_on(&survivor);
    (survivor, line, notes)
}

async fn too_many_are_admitted(death: Death) {
    let unfenced = library_on(UNFENCED);
    let (_server, line, mut notes) = three_are_forgotten(death, &unfenced, LONG).await;
    get_in(&line, 1, &[4, 5, 6], &mut notes).await;
    let found = broken(&notes.history, BOUNDS);
    let finds = |what: &str| found.iter().any(|found| found.contains(what));
    assert!(finds("passes for 3"), "{found:?}");
    assert!(
        finds("is of accounts"),
        "numbers are issued twice: {found:?}"
    );
}

async fn the_bounds_are_kept(death: Death) {
    let (_server, line, mut notes) = three_are_forgotten(death, &library(), SHORT).await;
    let refused = line.join(1, 1_000, &[joiner(4)]).await;
    assert!(matches!(refused, Err(LineError::Fenced(1))), "{refused:?}");
    set_up(&line, 2, SHORT + 2 * SKEW, SHORT).await;
    get_in(&line, 2, &[4, 5, 6], &mut notes).await;
    assert_eq!(broken(&notes.history, BOUNDS), Vec::<String>::new());
    is_close_to(&notes.history, BOUNDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_fence_a_redis_that_was_killed_admits_too_many() {
    too_many_are_admitted(Death::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_fence_a_replica_that_was_promoted_admits_too_many() {
    too_many_are_admitted(Death::Replaced).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_killed_admits_nobody_before_forgotten_passes_have_ended() {
    the_bounds_are_kept(Death::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_promoted_admits_nobody_before_forgotten_passes_have_ended() {
    the_bounds_are_kept(Death::Replaced).await;
}
