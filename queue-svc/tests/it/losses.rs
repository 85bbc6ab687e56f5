//! What a line does when Redis is not the one it was: the fence, and what happens without it; servers without functions or replicas.

use std::time::Duration;

use mesh::config::Secret;
use mesh::redis::{CallError, Library, RedisValue, Wait};
use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::line::{
    Joiner, Line, LineError, Mode, Settings, Standing, Tag, library, library_on,
};
use redis::Pipeline;

use crate::history::{Bounds, Event, Notes, broken};
use crate::support::{SET_BY_TEST, Stage, UNFENCED, redis, redis_url};

const BOUNDS: Bounds = Bounds {
    capacity: 3,
    rate: 100,
    burst: 100,
};
const HOLD: Duration = Duration::from_secs(64);

pub(crate) fn settings(version: u64) -> Settings {
    Settings {
        version,
        mode: Mode::Open,
        capacity: 3,
        rate: 100,
        burst: 100,
        offer: Duration::from_secs(60),
        pass: Duration::from_secs(60),
        skew: Duration::from_secs(2),
        session: Duration::from_secs(600),
        grace: Duration::from_secs(600),
        weights: [1, 1, 1, 1],
    }
}

fn blocks(first: u64) -> [Block; 3] {
    let end = first + 1_000;
    [Block { first, end }; 3]
}

pub(crate) fn joiner(account: u32) -> Joiner {
    let mut digest = [7; 10];
    digest[..4].copy_from_slice(&account.to_be_bytes());
    Joiner {
        tag: Tag { digest, bucket: 0 },
        lane: Lane::General,
        adopt: None,
    }
}

fn notes() -> Notes {
    let settings = settings(1);
    Notes::new(settings.offer, settings.session)
}

/// Lets accounts join and notes what they are told.
async fn join(stage: &Stage, generation: u64, accounts: &[u32], notes: &mut Notes) {
    let joiners: Vec<Joiner> = accounts.iter().map(|account| joiner(*account)).collect();
    let (now, told) = stage
        .line
        .join(generation, 10_000_000, &joiners)
        .await
        .unwrap();
    for (account, told) in accounts.iter().zip(told) {
        assert!(told.spot.is_some(), "{told:?}");
        notes.note(*account, (now, now), told);
    }
}

/// Three get in; then the server restarts with the data of a moment before. Answers what is known of the passes afterwards, and the stage.
async fn three_are_forgotten(library: &Library) -> (Stage, Notes, i64) {
    let stage = Stage::new(&redis(), library);
    let start = 1_700_000_000_000;
    stage.set("clock", start).await;
    stage.set("fence", "before").await;
    stage
        .line
        .recover(1, Duration::ZERO, blocks(0))
        .await
        .unwrap();
    stage.line.configure(1, &settings(1)).await.unwrap();
    let now = start + 1_000;
    stage.set("clock", now).await;
    let mut notes = notes();
    join(&stage, 1, &[1, 2, 3], &mut notes).await;
    assert_eq!(notes.inside().len(), 3, "{:?}", notes.history);
    let mut forget = Pipeline::with_capacity(1);
    let prefix = stage.line.prefix();
    forget.cmd("UNLINK").arg(&[
        format!("{prefix}slots"),
        format!("{prefix}info"),
        format!("{prefix}d:0"),
    ]);
    stage.redis.run(&forget).await.unwrap();
    stage.set("fence", "after").await;
    let (from, until) = (now, now);
    notes.history.push(Event::Lost { from, until });
    (stage, notes, now)
}

#[tokio::test]
async fn without_the_fence_a_restart_admits_too_many() {
    let (stage, mut notes, _) = three_are_forgotten(&library_on(UNFENCED)).await;
    join(&stage, 1, &[4, 5, 6], &mut notes).await;
    let found = broken(&notes.history, BOUNDS);
    assert!(
        found.iter().any(|what| what.contains("passes for 3")),
        "{found:?}"
    );
    stage.lose().await;
}

#[tokio::test]
async fn with_the_fence_nobody_gets_in_before_the_forgotten_passes_have_ended() {
    let (stage, mut notes, now) = three_are_forgotten(&library_on(SET_BY_TEST)).await;
    let refused = stage.line.join(1, 10_000_000, &[joiner(4)]).await;
    assert!(matches!(refused, Err(LineError::Fenced(1))), "{refused:?}");
    stage.line.recover(2, HOLD, blocks(1_000)).await.unwrap();
    stage.line.configure(2, &settings(2)).await.unwrap();
    join(&stage, 2, &[4, 5, 6], &mut notes).await;
    assert_eq!(stage.line.admit(2, 10).await.unwrap().granted, 0);
    assert_eq!(broken(&notes.history, BOUNDS), Vec::<String>::new());
    let later = now + 64_000;
    stage.set("clock", later).await;
    assert_eq!(stage.line.admit(2, 10).await.unwrap().granted, 3);
    let spots: Vec<Spot> = (1_000..1_003)
        .map(|seq| Spot {
            lane: Lane::General,
            seq,
        })
        .collect();
    let (_, told) = stage.line.claim(2, &spots).await.unwrap();
    for (account, told) in [4, 5, 6].into_iter().zip(told) {
        assert!(matches!(told.standing, Standing::Admitted(_)), "{told:?}");
        notes.note(account, (later, later), told);
    }
    assert_eq!(broken(&notes.history, BOUNDS), Vec::<String>::new());
    stage.lose().await;
}

#[tokio::test]
async fn the_real_fence_is_the_server_and_the_history_of_its_data() {
    let stage = Stage::new(&redis(), &library());
    stage
        .line
        .recover(1, Duration::ZERO, blocks(0))
        .await
        .unwrap();
    stage.line.configure(1, &settings(1)).await.unwrap();
    let (now, told) = stage.line.join(1, 10_000_000, &[joiner(1)]).await.unwrap();
    assert!(told[0].spot.is_some());
    let drift = now - mesh::clock::now().timestamp_millis();
    assert!(
        drift.abs() < 60_000,
        "the clock is that of the server: {drift}"
    );
    let mut other = Pipeline::with_capacity(1);
    let meta = format!("{}m", stage.line.prefix());
    other.cmd("HGET").arg(meta).arg("fence");
    let fence = stage.redis.run(&other).await.unwrap().pop().unwrap();
    let RedisValue::BulkString(fence) = fence else {
        panic!("{fence:?}");
    };
    // run_id, and the history that was taken over: none.
    assert_eq!(fence.len(), 81, "{}", String::from_utf8_lossy(&fence));
    stage.lose().await;
}

#[tokio::test]
async fn a_server_without_functions_runs_them_as_scripts() {
    let (redis, user) = (redis(), format!("test-{}", mesh::id::new()));
    let mut create = Pipeline::with_capacity(1);
    create.cmd("ACL").arg("SETUSER").arg(&user).arg(&[
        "on",
        ">secret",
        "~*",
        "+@all",
        "-function",
        "-fcall",
    ]);
    redis.run(&create).await.unwrap();
    let url = redis_url();
    let host = url.rsplit_once('@').unwrap().1;
    let url = Secret::new(format!("redis://{user}:secret@{host}"));
    let narrow = mesh::redis::Redis::open(&url).unwrap();
    let stage = Stage::new(&narrow, &library_on(SET_BY_TEST));
    let start = 1_700_000_000_000_i64;
    stage.set("clock", start).await;
    stage.set("fence", "one").await;
    stage
        .line
        .recover(1, Duration::ZERO, blocks(0))
        .await
        .unwrap();
    stage.line.configure(1, &settings(1)).await.unwrap();
    stage.set("clock", start + 1_000).await;
    let mut notes = notes();
    join(&stage, 1, &[1, 2, 3, 4], &mut notes).await;
    assert_eq!(notes.inside().len(), 3);
    let mut remove = Pipeline::with_capacity(1);
    remove.cmd("ACL").arg("DELUSER").arg(&user);
    stage.lose().await;
    redis.run(&remove).await.unwrap();
}

#[tokio::test]
async fn no_pass_is_told_before_the_replicas_know_it() {
    let stage = Stage::new(&redis(), &library());
    stage
        .line
        .recover(1, Duration::ZERO, blocks(0))
        .await
        .unwrap();
    stage.line.configure(1, &settings(1)).await.unwrap();
    let wait = Wait {
        replicas: 1,
        timeout: Duration::from_millis(20),
    };
    let show_id = mesh::id::new();
    let gated = Line::new(redis(), library(), show_id, 1, Some(wait));
    gated.recover(1, Duration::ZERO, blocks(0)).await.unwrap();
    gated.configure(1, &settings(1)).await.unwrap();
    let unknown = gated.join(1, 10_000_000, &[joiner(1)]).await;
    assert!(
        matches!(&unknown, Err(LineError::Call(CallError::Unknown(text))) if text.contains("0 of 1 replicas")),
        "{unknown:?}"
    );
    // It happened all the same: the place is there, and what it takes is taken.
    let open = Line::new(redis(), library(), show_id, 1, None);
    let (_, told) = open.join(1, 10_000_000, &[joiner(1)]).await.unwrap();
    assert_eq!(
        told[0].spot,
        Some(Spot {
            lane: Lane::General,
            seq: 0
        })
    );
    stage.lose().await;
    let gated = Stage {
        redis: redis(),
        line: gated,
    };
    gated.lose().await;
}

#[tokio::test]
async fn nothing_happens_in_an_epoch_that_is_over() {
    let show_id = mesh::id::new();
    let line = |epoch| Line::new(redis(), library(), show_id, epoch, None);
    let (old, new) = (line(1), line(2));
    old.recover(1, Duration::ZERO, blocks(0)).await.unwrap();
    old.configure(1, &settings(1)).await.unwrap();
    let (_, told) = old.join(1, 10, &[joiner(1)]).await.unwrap();
    let spot = told[0].spot.unwrap();
    new.recover(2, HOLD, blocks(1_000)).await.unwrap();
    let renewed = old.claim(1, &[spot]).await;
    assert!(matches!(renewed, Err(LineError::Fenced(_))), "{renewed:?}");
    // An instance that began to take the old one over before it heard of the new one.
    let late = old.recover(3, HOLD, blocks(2_000)).await;
    assert!(matches!(late, Err(LineError::Fenced(_))), "{late:?}");
    for line in [old, new] {
        let stage = Stage {
            redis: redis(),
            line,
        };
        stage.lose().await;
    }
}
