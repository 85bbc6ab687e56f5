//! A million people in one room: what they cost, and that each is told the exact position.

use std::time::Duration;

use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::line::view::View;
use queue_svc::line::{Joiner, Mode, Settings, Standing, Tag};
use redis::Pipeline;

use crate::support::{Stage, on_test_seams, redis};

const PEOPLE: u64 = 1_000_000;
/// As many as one call takes.
const BATCH: u64 = 256;
/// As a room of a million has them.
const BUCKETS: u64 = 10_000;
const BYTES_MAX: u64 = 25_000_000;

fn joiner(account: u64) -> Joiner {
    let mut digest = [0; 10];
    // Digests are evenly spread; a multiplication is enough here.
    digest[..8].copy_from_slice(&account.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    digest[8..].copy_from_slice(&[0x55, 0xaa]);
    Joiner {
        tag: Tag {
            digest,
            bucket: u32::try_from(account % BUCKETS).unwrap(),
        },
        lane: Lane::General,
        adopt: None,
    }
}

#[tokio::test]
async fn a_million_wait_within_25_megabytes_and_each_knows_where() {
    let stage = Stage::new(&redis(), &on_test_seams());
    stage.set("clock", 1_700_000_000_000_u64).await;
    stage.set("fence", "one").await;
    let block = Block {
        first: 0,
        end: PEOPLE,
    };
    stage
        .line
        .recover(1, Duration::ZERO, [block; 3])
        .await
        .unwrap();
    let settings = Settings {
        version: 1,
        mode: Mode::Armed,
        capacity: 1_000,
        rate: 1_000,
        burst: 1_000,
        offer: Duration::from_secs(60),
        pass: Duration::from_secs(60),
        skew: Duration::from_secs(2),
        session: Duration::from_secs(600),
        grace: Duration::from_secs(600),
        weights: [1; 4],
    };
    stage.line.configure(1, &settings).await.unwrap();
    for first in (0..PEOPLE).step_by(usize::try_from(BATCH).unwrap()) {
        let last = (first + BATCH).min(PEOPLE);
        let joiners: Vec<Joiner> = (first..last).map(joiner).collect();
        let (_, told) = stage.line.join(1, 10_000_000, &joiners).await.unwrap();
        assert!(told.iter().all(|told| told.standing == Standing::Waiting));
    }
    let (keys, bytes) = stage.memory().await;
    assert!(bytes <= BYTES_MAX, "{bytes} bytes in {keys} keys");

    // Some leave; every 1,000th is asked about. A position is computed from the view, which has no way to Redis.
    let mut view = View::default();
    stage.line.refresh(&mut view).await.unwrap();
    assert_eq!(view.live(), PEOPLE);
    let spot = |seq| Spot {
        lane: Lane::General,
        seq,
    };
    let mut gone = 0;
    for seq in (0..PEOPLE).step_by(7_777) {
        stage.line.leave(1, spot(seq)).await.unwrap();
        gone += 1;
    }
    stage.line.refresh(&mut view).await.unwrap();
    assert_eq!(view.live(), PEOPLE - gone);
    for seq in (0..PEOPLE).step_by(1_000) {
        let left_before = seq.div_ceil(7_777);
        let expected = (seq % 7_777 != 0).then_some((seq + 1 - left_before, false));
        assert_eq!(view.position(spot(seq)), expected, "{seq}");
    }
    stage.lose().await;
}

impl Stage {
    /// Keys of the line, and what they take.
    async fn memory(&self) -> (usize, u64) {
        let keys = self.keys().await;
        let mut bytes = 0;
        for some in keys.chunks(1_000) {
            let mut ask = Pipeline::with_capacity(some.len());
            for key in some {
                ask.cmd("MEMORY")
                    .arg("USAGE")
                    .arg(key)
                    .arg("SAMPLES")
                    .arg(0);
            }
            for size in self.redis.run(&ask).await.unwrap() {
                bytes += redis::from_redis_value::<u64>(size).unwrap();
            }
        }
        (keys.len(), bytes)
    }
}
