//! Claims by message: as exact as the others, also beside them, and decided once whatever is delivered twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection;
use futures_util::future::{join, join_all};
use mesh::clock::to_timestamp;
use mesh::identity::Role;
use prost::Name;
use proto::usher::coupon::events::v1::claim_result::Outcome;
use proto::usher::coupon::events::v1::{ClaimCouponsCommand, ClaimRefusal, CouponClaimsDecided};
use proto::usher::coupon::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use crate::service::{Home, Instance, fields, reason, settings, until};

async fn home() -> Home {
    let home = Home::with_queues().await;
    // The tables are there once somebody has served.
    home.start().await.stop().await;
    home.keep_sent().await;
    home
}

type Claim = (Uuid, Uuid);

fn person() -> Claim {
    (mesh::id::new(), mesh::id::new())
}

async fn queue(
    instance: &Instance,
    home: &Home,
    (account_id, role): (Uuid, Role),
    campaign_id: Uuid,
    claims: &[Claim],
) -> Result<String, Status> {
    let claims = claims
        .iter()
        .map(|(account_id, request_id)| pb::AccountClaim {
            request_id: request_id.to_string(),
            account_id: account_id.to_string(),
        });
    let request = pb::ClaimCouponsAsyncRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id: campaign_id.to_string(),
        claims: claims.collect(),
    };
    let request = home.by(account_id, role, request);
    let accepted = instance.queue.clone().claim_coupons_async(request).await?;
    Ok(accepted.into_inner().batch_id)
}

async fn by_admin(instance: &Instance, home: &Home, campaign_id: Uuid, claims: &[Claim]) -> String {
    let admin = (mesh::id::new(), Role::Admin);
    let accepted = queue(instance, home, admin, campaign_id, claims).await;
    accepted.unwrap()
}

/// What was told of batches, by batch: each as often as it was.
async fn decided(home: &Home) -> BTreeMap<String, Vec<CouponClaimsDecided>> {
    let mut decided: BTreeMap<String, Vec<CouponClaimsDecided>> = BTreeMap::new();
    for event in home.sent::<CouponClaimsDecided>().await {
        let told = decided.entry(event.batch_id.clone()).or_default();
        told.push(event);
    }
    decided
}

/// What became of the claims of a batch, once it is decided.
async fn outcomes(home: &Home, batch_id: &str) -> Vec<Outcome> {
    let mut told = until("the batch is decided", async || {
        decided(home).await.remove(batch_id)
    })
    .await;
    assert_eq!(told.len(), 1, "told once");
    let results = told.remove(0).results.into_iter();
    results.map(|result| result.outcome.unwrap()).collect()
}

async fn everything_is_sent(home: &Home) {
    until("everything is sent", async || {
        (home.number("SELECT count(*) AS n FROM outbox").await == 0).then_some(())
    })
    .await;
}

fn refused(refusal: ClaimRefusal) -> Outcome {
    Outcome::Refusal(refusal.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_beside_claims_at_two_instances_are_exact_and_have_one_effect_each() {
    let home = home().await;
    let (one, two) = (home.start().await, home.start().await);
    let campaign_id = one.campaign(&home, settings(300)).await;
    let people: Vec<Claim> = (0..400).map(|_| person()).collect();
    // Everybody is in two of eight batches, with a claim of their own in each, and every second one claims, too.
    let batches = (0..8_usize).map(|number| {
        let claims: Vec<Claim> = (0..100)
            .map(|place| (people[(number * 50 + place) % 400].0, mesh::id::new()))
            .collect();
        let instance = [&one, &two][number % 2];
        let home = &home;
        async move {
            let batch_id = by_admin(instance, home, campaign_id, &claims).await;
            (batch_id, claims)
        }
    });
    let claims = people.iter().step_by(2).enumerate();
    let claims = claims.map(async |(number, (account, request))| {
        let instance = [&two, &one][number % 2];
        until("an answer", async || {
            let claimed = instance.claim(&home, campaign_id, *account, *request).await;
            match claimed {
                Err(status) if reason(&status) == "CLAIM_UNDECIDED" => None,
                other => Some(other.ok()),
            }
        })
        .await
    });
    let (batches, claimed) = join(join_all(batches), join_all(claims)).await;
    let mut got: BTreeSet<String> = claimed
        .into_iter()
        .flatten()
        .map(|coupon| coupon.coupon_id)
        .collect();
    for (batch_id, claims) in &batches {
        let outcomes = outcomes(&home, batch_id).await;
        assert_eq!(outcomes.len(), claims.len());
        for outcome in outcomes {
            if let Outcome::CouponId(coupon_id) = outcome {
                assert!(got.insert(coupon_id), "two claims, one coupon");
            }
        }
    }
    let kept = "SELECT count(*) AS n FROM coupon";
    let owners = "SELECT count(DISTINCT account_id) AS n FROM coupon";
    assert_eq!((got.len(), home.number(kept).await), (300, 300));
    assert_eq!(home.number(owners).await, 300);
    // Every batch is delivered once more, and one behind them that shows that they were.
    let command = ClaimCouponsCommand::full_name();
    let columns = "message_id, part, aggregate, type, exchange, payload, headers";
    everything_is_sent(&home).await;
    home.sql(&format!(
        "INSERT INTO outbox ({columns}) SELECT {columns} FROM sent WHERE type = '{command}'"
    ))
    .await;
    let last = by_admin(&one, &home, campaign_id, &[person()]).await;
    assert_eq!(
        outcomes(&home, &last).await,
        [refused(ClaimRefusal::SoldOut)]
    );
    everything_is_sent(&home).await;
    one.stop().await;
    two.stop().await;
    assert_eq!(home.number(kept).await, 300);
    let told = decided(&home).await;
    assert_eq!(told.len(), 9);
    assert!(told.values().all(|events| events.len() == 1));
    let handled = "SELECT count(*) AS n FROM inbox WHERE consumer = 'coupon-svc.claims'";
    assert_eq!(home.number(handled).await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_gets_what_is_left_in_its_order_and_claims_are_the_same_either_way() {
    let home = home().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(3)).await;
    let people: Vec<Claim> = (0..5).map(|_| person()).collect();
    let first = instance.claim(&home, campaign_id, people[1].0, people[1].1);
    let first = first.await.unwrap();
    let batch = by_admin(&instance, &home, campaign_id, &people).await;
    let told = outcomes(&home, &batch).await;
    assert!(matches!(told[0], Outcome::CouponId(_)));
    assert_eq!(told[1], Outcome::CouponId(first.coupon_id));
    assert!(matches!(told[2], Outcome::CouponId(_)));
    let sold_out = refused(ClaimRefusal::SoldOut);
    assert_eq!(told[3..], [sold_out.clone(), sold_out]);
    // The same claims once more: in another batch, and by the accounts themselves.
    let again = by_admin(&instance, &home, campaign_id, &people).await;
    assert_eq!(outcomes(&home, &again).await, told);
    let mine = instance.claim(&home, campaign_id, people[2].0, people[2].1);
    assert_eq!(Outcome::CouponId(mine.await.unwrap().coupon_id), told[2]);
    let another = (people[0].0, mesh::id::new());
    let more = by_admin(&instance, &home, campaign_id, &[another]).await;
    let already = refused(ClaimRefusal::AlreadyClaimed);
    assert_eq!(outcomes(&home, &more).await, [already]);
    // The gate has heard of those that a batch made.
    let refusal = instance.claim(&home, campaign_id, another.0, another.1);
    assert_eq!(reason(&refusal.await.unwrap_err()), "ALREADY_CLAIMED");
    let stats = instance.stats(&home, campaign_id).await;
    assert_eq!((stats.issued, stats.remaining), (3, Some(0)));
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_refused_where_a_claim_would_be() {
    let home = home().await;
    let instance = home.start().await;
    let admin = (mesh::id::new(), Role::Admin);
    let early = pb::CampaignSettings {
        claim_open_time: Some(to_timestamp(mesh::clock::now() + TimeDelta::minutes(30))),
        ..settings(5)
    };
    let early = instance.campaign(&home, early).await;
    let ended = instance.campaign(&home, settings(5)).await;
    instance
        .end(&home, admin, &ended.to_string())
        .await
        .unwrap();
    for (campaign_id, refusal) in [
        (early, ClaimRefusal::NotOpen),
        (ended, ClaimRefusal::WindowOver),
    ] {
        let batch = by_admin(&instance, &home, campaign_id, &[person(), person()]).await;
        let told = outcomes(&home, &batch).await;
        assert_eq!(told, [refused(refusal), refused(refusal)]);
    }
    let draft = instance.create(&home, admin, settings(1)).await.unwrap();
    let draft: Uuid = draft.campaign_id.parse().unwrap();
    let seller = (mesh::id::new(), Role::Seller);
    for (by, campaign_id) in [
        (admin, draft),
        (admin, mesh::id::new()),
        (seller, early), // the platform's
    ] {
        let refused = queue(&instance, &home, by, campaign_id, &[person()]).await;
        assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_FOUND");
    }
    let granted = pb::CampaignSettings {
        issue: pb::IssueMode::Grant.into(),
        ..settings(5)
    };
    let granted = instance.campaign(&home, granted).await;
    let other = queue(&instance, &home, admin, granted, &[person()]).await;
    assert_eq!(reason(&other.unwrap_err()), "ISSUED_OTHERWISE");
    assert_eq!(home.number("SELECT count(*) AS n FROM coupon").await, 0);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_order_is_one_batch_and_every_violation_is_told_at_once() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(5)).await;
    let admin = mesh::id::new();
    let claim = |request_id: &str, account_id: &str| pb::AccountClaim {
        request_id: request_id.to_owned(),
        account_id: account_id.to_owned(),
    };
    let ask = async |request: pb::ClaimCouponsAsyncRequest| {
        let request = home.by(admin, Role::Admin, request);
        let accepted = instance.queue.clone().claim_coupons_async(request).await;
        accepted.map(|accepted| accepted.into_inner().batch_id)
    };
    let (id, other) = (mesh::id::new().to_string(), mesh::id::new().to_string());
    let good = pb::ClaimCouponsAsyncRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id: campaign_id.to_string(),
        claims: vec![claim(&id, &other)],
    };
    let batch = ask(good.clone()).await.unwrap();
    assert_eq!(ask(good.clone()).await.unwrap(), batch);
    let reused = pb::ClaimCouponsAsyncRequest {
        claims: vec![claim(&other, &id)],
        ..good.clone()
    };
    let refused = ask(reused).await.unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    let bad = pb::ClaimCouponsAsyncRequest {
        request_id: "x".to_owned(),
        campaign_id: String::new(),
        claims: vec![
            claim(&id, &id),
            claim("x", &other),
            claim(&other, &id),
            claim(&id, ""),
        ],
    };
    assert_eq!(
        fields(&ask(bad).await.unwrap_err()),
        [
            "request_id",
            "campaign_id",
            "claims[1].request_id",
            "claims[2].account_id",
            "claims[3].account_id"
        ]
    );
    for count in [0, 501] {
        let many = pb::ClaimCouponsAsyncRequest {
            claims: vec![claim(&id, &id); count],
            ..good.clone()
        };
        assert_eq!(fields(&ask(many).await.unwrap_err()), ["claims"]);
    }
    instance.stop().await;
}

async fn batch(
    instance: &Instance,
    home: &Home,
    (account_id, role): (Uuid, Role),
    batch_id: &str,
) -> Result<pb::ClaimBatch, Status> {
    let request = pb::GetClaimBatchRequest {
        batch_id: batch_id.to_owned(),
    };
    let request = home.by(account_id, role, request);
    let answer = instance.queue.clone().get_claim_batch(request).await?;
    Ok(answer.into_inner().batch.unwrap())
}

/// A seller, and a campaign of theirs that is open.
async fn of_a_seller(instance: &Instance, home: &Home) -> ((Uuid, Role), Uuid) {
    let seller = (mesh::id::new(), Role::Seller);
    let campaign = instance.create(home, seller, settings(1)).await.unwrap();
    let id = campaign.campaign_id;
    instance.open(home, seller, &id).await.unwrap();
    (seller, id.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_queued_until_it_is_decided_and_then_tells_what_the_event_does() {
    let home = home().await;
    let instance = home.start().await;
    let (seller, campaign_id) = of_a_seller(&instance, &home).await;
    // Claims wait for whoever has the stock.
    let mut busy = home.connection().await;
    let hold = "BEGIN; SELECT FROM campaign_stock FOR UPDATE";
    busy.batch_execute(hold).await.unwrap();
    let people = [person(), person()];
    let queued = queue(&instance, &home, seller, campaign_id, &people).await;
    let batch_id = queued.unwrap();
    let waiting = batch(&instance, &home, seller, &batch_id).await.unwrap();
    assert_eq!(waiting.state(), pb::ClaimBatchState::Queued);
    assert_eq!((waiting.claims.len(), waiting.decide_time), (0, None));
    busy.batch_execute("ROLLBACK").await.unwrap();
    let told = outcomes(&home, &batch_id).await;
    let event = decided(&home).await.remove(&batch_id).unwrap().remove(0);
    let batch = batch(&instance, &home, seller, &batch_id).await.unwrap();
    assert_eq!(batch.state(), pb::ClaimBatchState::Decided);
    assert_eq!(batch.campaign_id, campaign_id.to_string());
    assert_eq!(batch.queue_time, waiting.queue_time);
    assert_eq!(batch.decide_time, event.decide_time);
    for (claim, (account_id, request_id)) in batch.claims.iter().zip(&people) {
        let named = (claim.account_id.clone(), claim.request_id.clone());
        assert_eq!(named, (account_id.to_string(), request_id.to_string()));
    }
    let Outcome::CouponId(coupon_id) = told[0].clone() else {
        panic!("{told:?}");
    };
    let sold_out = pb::ClaimRefusal::SoldOut.into();
    let expected = [
        Some(pb::decided_claim::Outcome::CouponId(coupon_id)),
        Some(pb::decided_claim::Outcome::Refusal(sold_out)),
    ];
    let claims = batch.claims.into_iter();
    let became: Vec<_> = claims.map(|one| one.outcome).collect();
    assert_eq!(became, expected);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_queued_a_batch_can_ask_for_it_for_thirty_days_and_nobody_else_can() {
    let home = home().await;
    let instance = home.start().await;
    let (seller, campaign_id) = of_a_seller(&instance, &home).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let queued = queue(&instance, &home, seller, campaign_id, &[person()]).await;
        ids.push(queued.unwrap());
    }
    let (old, young) = (&ids[0], &ids[1]);
    outcomes(&home, old).await;
    let admin = (mesh::id::new(), Role::Admin);
    let mine = batch(&instance, &home, seller, old).await.unwrap();
    let same = batch(&instance, &home, admin, old).await.unwrap();
    assert_eq!(same, mine);
    let unknown = mesh::id::new().to_string();
    let stranger = (mesh::id::new(), Role::Seller);
    for (by, batch_id) in [(stranger, old), (seller, &unknown)] {
        let refused = batch(&instance, &home, by, batch_id).await;
        assert_eq!(reason(&refused.unwrap_err()), "CLAIM_BATCH_NOT_FOUND");
    }
    let refused = batch(&instance, &home, seller, "x").await;
    assert_eq!(fields(&refused.unwrap_err()), ["batch_id"]);
    for (days, batch_id) in [(29, young), (31, old)] {
        home.sql(&format!(
            "UPDATE claim_batch SET queue_time = now() - interval '{days} days' WHERE batch_id = '{batch_id}'"
        ))
        .await;
    }
    let gone = until("the old one is gone", async || {
        let gone = batch(&instance, &home, seller, old).await;
        gone.err().map(|status| reason(&status))
    })
    .await;
    assert_eq!(gone, "CLAIM_BATCH_NOT_FOUND");
    batch(&instance, &home, seller, young).await.unwrap();
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_repeated_when_its_request_is_forgotten_is_the_same_batch() {
    let home = home().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(5)).await;
    let admin = mesh::id::new();
    let (account, request) = person();
    let order = |account_id: Uuid| pb::ClaimCouponsAsyncRequest {
        request_id: request.to_string(),
        campaign_id: campaign_id.to_string(),
        claims: vec![pb::AccountClaim {
            request_id: request.to_string(),
            account_id: account_id.to_string(),
        }],
    };
    let ask = async |by: Uuid, order: pb::ClaimCouponsAsyncRequest| {
        let order = home.by(by, Role::Admin, order);
        let accepted = instance.queue.clone().claim_coupons_async(order).await;
        accepted.map(|accepted| accepted.into_inner().batch_id)
    };
    let first = ask(admin, order(account)).await.unwrap();
    home.sql("DELETE FROM idempotency").await;
    assert_eq!(ask(admin, order(account)).await.unwrap(), first);
    home.sql("DELETE FROM idempotency").await;
    let reused = ask(admin, order(mesh::id::new())).await;
    assert_eq!(reason(&reused.unwrap_err()), "REQUEST_ID_REUSED");
    let another = ask(mesh::id::new(), order(account)).await.unwrap();
    assert_ne!(
        another, first,
        "the same id of somebody else is another one"
    );
    outcomes(&home, &another).await;
    assert_eq!(home.sent::<ClaimCouponsCommand>().await.len(), 2);
    instance.stop().await;
}
