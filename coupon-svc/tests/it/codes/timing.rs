//! Whether the time of an answer tells wrong codes apart.

use std::time::Duration;

use coupon_svc::app::codes::redeem::{FLOOR, Redeeming, Refusal};
use coupon_svc::domain::code::Code;
use coupon_svc::guesses::{Guesses, LIMITS};
use futures_util::future::join_all;
use mesh::clock::Stopwatch;
use mesh::pg::{Database, DatabaseOptions};
use mesh::tasks::Tasks;

use super::{admin, generate, wanted, with_codes, worthless};
use crate::service::{Home, redis};

/// Tries of each kind.
const TRIES: usize = 40;
/// What one kind costs more than the other, on purpose.
const MORE: Duration = Duration::from_millis(40);

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn medians(times: &[Vec<Duration>]) -> Vec<Duration> {
    times.iter().cloned().map(median).collect()
}

/// Times of refusals, of each code in turn, so that whatever else the machine does meets all alike.
async fn times(redeeming: &Redeeming, codes: &[Code]) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::new(); codes.len()];
    for _ in 0..TRIES {
        let round = codes.iter().map(async |code| {
            let watch = Stopwatch::start();
            let answer = redeeming
                .redeem(mesh::id::new(), mesh::id::new(), code)
                .await;
            assert_eq!(answer.unwrap_err(), Refusal::NotValid);
            watch.elapsed()
        });
        for (of, time) in times.iter_mut().zip(join_all(round).await) {
            of.push(time);
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_answer_tells_nothing_and_without_the_floor_it_does() {
    let home = Home::new().await;
    let instance = home.start().await;
    let worthless = worthless(&instance, &home).await;
    let code = |cause: &str| {
        let found = worthless.iter().find(|(name, _)| *name == cause);
        Code::read(&found.unwrap().1).unwrap()
    };
    // Only codes that are there are written, and that is slow.
    home.sql(&format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({}); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE UPDATE ON code FOR EACH ROW EXECUTE FUNCTION slow()",
        MORE.as_secs_f64()
    ))
    .await;
    let tasks = Tasks::new();
    let options = DatabaseOptions::new("test");
    let database = Database::connect(home.url(), &options, &tasks)
        .await
        .unwrap();
    let redeeming = |floor| Redeeming {
        database: database.clone(),
        key: home.code_key.clone(),
        guesses: Guesses::new(redis(), &home.code_key.name(), LIMITS),
        outbox: None,
        floor,
    };
    let codes = ["unknown", "no code looks so", "over", "not yet"].map(code);
    let bare = medians(&times(&redeeming(Duration::ZERO), &codes).await);
    let difference = bare[2].saturating_sub(bare[0]);
    assert!(difference > MORE / 2, "the control shows it: {bare:?}");
    let held = times(&redeeming(FLOOR), &codes).await;
    // What a kind differs by from itself, in every other try.
    let noise = held.iter().map(|times| {
        let half = |from| median(times.iter().skip(from).step_by(2).copied().collect());
        half(0).abs_diff(half(1))
    });
    let noise = noise.max().unwrap();
    let held = medians(&held);
    let (least, most) = (held.iter().min().unwrap(), held.iter().max().unwrap());
    assert!(
        *most - *least < (difference / 4).max(noise * 3),
        "{held:?}, {noise:?} of noise, {difference:?} without the floor"
    );
    assert!(*least >= FLOOR, "{held:?}");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_is_faster_than_the_floor() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, with_codes(-1)).await;
    let codes = generate(&instance, &home, admin(), &wanted(campaign_id, 200))
        .await
        .unwrap();
    let mut times = Vec::new();
    for code in &codes {
        let watch = Stopwatch::start();
        super::try_code(&instance, &home, code).await.unwrap();
        times.push(watch.elapsed());
    }
    assert!(median(times.clone()) < FLOOR, "{times:?}");
    instance.stop().await;
}
