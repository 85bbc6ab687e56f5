//! How often somebody can be wrong.

use std::time::Duration;

use coupon_svc::guesses::{Guesses, Limits};
use mesh::config::Secret;
use mesh::redis::Redis;
use tonic_types::StatusExt;

use super::{admin, generate, redeem, wanted, with_codes};
use crate::service::{Home, reason, redis};

/// Nobody listens there.
const NOWHERE: &str = "redis://127.0.0.1:1";
const WRONG: &str = "0000-0000-0000-0000";

#[tokio::test(flavor = "multi_thread")]
async fn ten_wrong_codes_are_enough_and_right_ones_do_not_count() {
    let home = Home::new().await;
    let nowhere = Secret::new(NOWHERE);
    for without_redis in [false, true] {
        let (first, second) = match without_redis {
            false => (home.start().await, Some(home.start().await)),
            true => (home.start_on(&nowhere).await, None),
        };
        let campaign_id = first.campaign(&home, with_codes(-1)).await;
        let codes = generate(&first, &home, admin(), &wanted(campaign_id, 1))
            .await
            .unwrap();
        let (person, request_id) = (mesh::id::new(), mesh::id::new());
        for n in 0..10 {
            let instance = second.as_ref().filter(|_| n % 2 == 1).unwrap_or(&first);
            let refused = redeem(instance, &home, person, mesh::id::new(), WRONG).await;
            assert_eq!(reason(&refused.unwrap_err()), "CODE_NOT_VALID");
            if n < 9 {
                let got = redeem(instance, &home, person, request_id, &codes[0]).await;
                got.unwrap();
            }
        }
        // Also with a right one: otherwise the answer would tell it from a wrong one.
        for code in [WRONG, &codes[0]] {
            let instance = second.as_ref().unwrap_or(&first);
            let refused = redeem(instance, &home, person, mesh::id::new(), code).await;
            let refused = refused.unwrap_err();
            assert_eq!(reason(&refused), "RATE_LIMITED");
            let wait = refused
                .get_error_details()
                .retry_info()
                .unwrap()
                .retry_delay;
            let wait = wait.unwrap();
            assert!(wait > Duration::from_secs(3_000) && wait <= Duration::from_secs(3_600));
        }
        let other = redeem(&first, &home, mesh::id::new(), mesh::id::new(), WRONG).await;
        assert_eq!(reason(&other.unwrap_err()), "CODE_NOT_VALID");
        for instance in [Some(first), second].into_iter().flatten() {
            instance.stop().await;
        }
    }
}

fn limits(own: u32, all: u32, window: Duration) -> Limits {
    Limits {
        own: (own, window),
        all: (all, window),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_has_a_limit_together_with_and_without_redis() {
    let hour = Duration::from_secs(3_600);
    let nowhere = Redis::open(&Secret::new(NOWHERE)).unwrap();
    for redis in [redis(), nowhere] {
        let name = mesh::id::new().to_string();
        let guesses = Guesses::new(redis.clone(), &name, limits(2, 5, hour));
        let (greedy, modest) = (mesh::id::new(), mesh::id::new());
        for n in 0..100 {
            let charged = guesses.charge(greedy).await;
            assert_eq!(charged.is_ok(), n < 2, "{n}");
        }
        // What was refused to one account costs the others nothing.
        guesses.charge(modest).await.unwrap();
        guesses.refund(modest).await;
        for _ in 0..3 {
            guesses.charge(mesh::id::new()).await.unwrap();
        }
        let wait = guesses.charge(modest).await.unwrap_err();
        assert!(wait <= hour && wait > hour / 2, "{wait:?}");
        guesses.refund(greedy).await;
        guesses.charge(modest).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_count_together_and_windows_end() {
    let (name, window) = (mesh::id::new().to_string(), Duration::from_millis(500));
    let new = |limits| Guesses::new(redis(), &name, limits);
    let (one, two) = (new(limits(2, 99, window)), new(limits(2, 99, window)));
    let account = mesh::id::new();
    one.charge(account).await.unwrap();
    two.charge(account).await.unwrap();
    let wait = one.charge(account).await.unwrap_err();
    assert!(wait <= window);
    crate::service::until("the window ends", async || one.charge(account).await.ok()).await;
}
