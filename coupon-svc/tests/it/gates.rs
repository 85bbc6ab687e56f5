//! What a gate is worth, and that losing it costs no coupon and no truth.

use std::sync::atomic::{AtomicBool, Ordering};

use coupon_svc::gate::{Became, Gate, GateError, Said, library};
use coupon_svc::store::campaigns;
use futures_util::future::{join, join_all};
use mesh::config::Secret;
use mesh::redis::RedisValue;
use redis::Pipeline;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::codes::with_codes;
use crate::service::{Home, gate_keys, reason, redis, settings, until};

/// The gate of a campaign of `stock` coupons that nobody has asked for yet, once it is built.
async fn gate(home: &Home, campaign_id: Uuid) -> Gate {
    until("the gate is built", async || {
        let campaign = campaigns::find(&mut home.connection().await, campaign_id, false).await;
        let gate = Gate::of(&redis(), &library(), &campaign.unwrap().unwrap()).unwrap();
        gate.state().await.is_ok().then_some(gate)
    })
    .await
}

fn claimants(count: usize) -> Vec<(Uuid, Uuid)> {
    (0..count)
        .map(|_| (mesh::id::new(), mesh::id::new()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_lets_through_as_many_as_there_are_and_says_full_when_all_are_coupons() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(3)).await;
    let gate = gate(&home, campaign_id).await;
    let people = claimants(4);
    let said = gate.claim(&people).await.unwrap();
    assert_eq!(said, [Said::Pass, Said::Pass, Said::Pass, Said::Crowded]);
    let other = (people[0].0, mesh::id::new());
    assert_eq!(
        gate.claim(&[people[0], other]).await.unwrap(),
        [Said::Pass, Said::Has]
    );
    gate.settle(&[(people[0], Became::New), (people[1], Became::Nothing)])
        .await
        .unwrap();
    assert_eq!(gate.claim(&people[3..]).await.unwrap(), [Said::Pass]);
    gate.settle(&[(people[2], Became::New), (people[3], Became::Known)])
        .await
        .unwrap();
    let said = gate.claim(&people).await.unwrap();
    assert_eq!(said, [Said::Has, Said::Full, Said::Has, Said::Has]);
    // Told twice: nothing changes.
    let before = gate.state().await.unwrap();
    gate.settle(&[(people[1], Became::Nothing), (people[2], Became::Known)])
        .await
        .unwrap();
    assert_eq!(gate.state().await.unwrap(), before);
    let seen = gate.state().await.unwrap();
    assert_eq!((seen.count, seen.won, seen.under_way), (3, 3, 0));
    assert!(gate.correct(seen, 2).await.unwrap());
    assert!(
        !gate.correct(seen, 3).await.unwrap(),
        "something happened since"
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_let_through_and_never_heard_of_again_leaves_the_place_to_others() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(2)).await;
    let gate = gate(&home, campaign_id).await;
    // Two claims of an instance that dies with them; their time is over at once.
    let lost = claimants(2);
    gate.claim(&lost).await.unwrap();
    let keys = gate_keys(&redis(), campaign_id).await;
    let on_the_way = keys.iter().find(|key| key.ends_with(":p")).unwrap();
    let mut age = Pipeline::with_capacity(2);
    for (account, coupon) in &lost {
        let member = [account.as_bytes().as_slice(), coupon.as_bytes()].concat();
        age.cmd("ZADD").arg(on_the_way).arg(1).arg(member);
    }
    redis().run(&age).await.unwrap();
    for _ in 0..2 {
        // Not "sold out" meanwhile, because it is not.
        let got = until("the place is free again", async || {
            let claimed = instance
                .claim(&home, campaign_id, mesh::id::new(), mesh::id::new())
                .await;
            match claimed {
                Err(status) => {
                    assert_eq!(reason(&status), "CLAIM_UNDECIDED");
                    None
                }
                Ok(coupon) => Some(coupon),
            }
        })
        .await;
        assert_eq!(got.campaign_id, campaign_id.to_string());
    }
    let refused = instance
        .claim(&home, campaign_id, mesh::id::new(), mesh::id::new())
        .await;
    assert_eq!(reason(&refused.unwrap_err()), "COUPONS_SOLD_OUT");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_redis_forgets_again_and_again_costs_nobody_anything() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(400)).await;
    let over = AtomicBool::new(false);
    let claims = async {
        let people = claimants(1_000);
        let mut answers = Vec::new();
        for some in people.chunks(50) {
            let claims = some.iter().map(async |(account, request)| {
                until("an answer", async || {
                    let claimed = instance.claim(&home, campaign_id, *account, *request).await;
                    match claimed {
                        Err(status) if reason(&status) == "CLAIM_UNDECIDED" => None,
                        other => Some(other.map_err(|status| reason(&status))),
                    }
                })
                .await
            });
            answers.extend(join_all(claims).await);
        }
        over.store(true, Ordering::Relaxed);
        answers
    };
    let losses = async {
        let mut losses = 0;
        while !over.load(Ordering::Relaxed) {
            let keys = gate_keys(&redis(), campaign_id).await;
            if keys.iter().any(|key| key.ends_with(":m")) {
                redis().remove(&keys).await.unwrap();
                losses += 1;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        losses
    };
    let (answers, losses) = join(claims, losses).await;
    assert!(losses > 2, "{losses} losses");
    let got = answers.iter().filter(|answer| answer.is_ok()).count();
    let kept = home.number("SELECT count(*) AS n FROM coupon").await;
    assert_eq!((got, kept), (400, 400));
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(
        refused
            .into_iter()
            .all(|reason| reason == "COUPONS_SOLD_OUT")
    );
    instance.stop().await;
}

/// Twenty people claim five coupons without a gate that helps.
async fn five_of_twenty(redis_url: &Secret) {
    let home = Home::new().await;
    let instance = home.start_on(redis_url).await;
    let campaign_id = instance.campaign(&home, settings(5)).await;
    let people = claimants(20);
    let claims = people.iter().map(async |(account, request)| {
        let claimed = instance.claim(&home, campaign_id, *account, *request);
        claimed.await.map_err(|status| reason(&status))
    });
    let answers = join_all(claims).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    let refused = answers.into_iter().filter_map(Result::err);
    assert!(
        refused
            .into_iter()
            .all(|reason| reason == "COUPONS_SOLD_OUT")
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_coupons_are_still_claimed_exactly() {
    // Nobody listens there.
    five_of_twenty(&Secret::new("redis://127.0.0.1:1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_takes_calls_and_never_answers_holds_nobody_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let keep = async {
        let mut open = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            open.push(stream);
        }
    };
    let url = Secret::new(format!("redis://{address}"));
    tokio::select! {
        () = five_of_twenty(&url) => {}
        () = keep => panic!("the listener ended"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_of_an_older_version_of_its_campaign_is_not_obeyed() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(2)).await;
    let old = gate(&home, campaign_id).await;
    home.sql("UPDATE campaign SET version = version + 1").await;
    let new = gate(&home, campaign_id).await;
    let people = claimants(2);
    assert_eq!(new.claim(&people[..1]).await.unwrap(), [Said::Pass]);
    let refused = old.claim(&people[1..]).await;
    assert!(matches!(refused, Err(GateError::Outdated)), "{refused:?}");
    new.close().await.unwrap();
    let refused = new.claim(&people[1..]).await;
    assert!(matches!(refused, Err(GateError::NotBuilt)), "{refused:?}");
    let mut ttl = Pipeline::with_capacity(1);
    for key in gate_keys(&redis(), campaign_id).await {
        ttl.cmd("PTTL").arg(key);
    }
    let left = redis().run(&ttl).await.unwrap();
    assert!(
        left.iter()
            .all(|left| matches!(left, RedisValue::Int(ms) if *ms > 0)),
        "{left:?}"
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coupons_that_are_not_claimed_have_no_gate() {
    let home = Home::new().await;
    let instance = home.start().await;
    let claimed = instance.campaign(&home, settings(3)).await;
    let by_code = instance.campaign(&home, with_codes(3)).await;
    // Both are known here from now on.
    let (account_id, request_id) = (mesh::id::new(), mesh::id::new());
    let refused = instance.claim(&home, by_code, account_id, request_id).await;
    assert_eq!(reason(&refused.unwrap_err()), "ISSUED_OTHERWISE");
    let got = instance.claim(&home, claimed, account_id, request_id).await;
    assert!(got.is_ok(), "{got:?}");
    // Gates that are missing are built in rounds over all campaigns.
    for _ in 0..2 {
        let keys = gate_keys(&redis(), claimed).await;
        redis().remove(&keys).await.unwrap();
        until("a round has built what was missing", async || {
            let keys = gate_keys(&redis(), claimed).await;
            keys.iter().any(|key| key.ends_with(":m")).then_some(())
        })
        .await;
    }
    assert_eq!(gate_keys(&redis(), by_code).await, Vec::<String>::new());
    instance.stop().await;
}
