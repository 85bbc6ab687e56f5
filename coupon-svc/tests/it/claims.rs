//! First come, first served: exact, final, and the same answer for the same request.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::stream::{self, StreamExt};
use mesh::clock::to_timestamp;
use mesh::identity::Role;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::{CampaignState, CouponState};
use uuid::Uuid;

use crate::service::{Home, Instance, detail, gate_keys, reason, redis, settings};

/// Claims under way at once.
const AT_ONCE: usize = 200;

/// Everybody claims once; answers who got a coupon, and with what reason the others were refused.
async fn rush(
    home: &Home,
    instances: &[&Instance],
    campaign_id: Uuid,
    people: &[(Uuid, Uuid)],
) -> (BTreeSet<String>, BTreeSet<String>) {
    let claims = people
        .iter()
        .enumerate()
        .map(async |(number, (account, request))| {
            let instance = instances[number % instances.len()];
            loop {
                let claimed = instance.claim(home, campaign_id, *account, *request).await;
                match claimed {
                    // As every client is told to.
                    Err(status) if reason(&status) == "CLAIM_UNDECIDED" => {}
                    other => return other,
                }
            }
        });
    let answers = stream::iter(claims).buffer_unordered(AT_ONCE);
    let (mut got, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut answers = Box::pin(answers);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(coupon) => assert!(got.insert(coupon.coupon_id), "two answers, one coupon"),
            Err(status) => drop(refused.insert(reason(&status))),
        }
    }
    (got, refused)
}

fn people(count: usize) -> Vec<(Uuid, Uuid)> {
    (0..count)
        .map(|_| (mesh::id::new(), mesh::id::new()))
        .collect()
}

/// Coupons of a campaign, as Postgres has them.
async fn kept(home: &Home, campaign_id: Uuid) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM coupon WHERE campaign_id = '{campaign_id}'");
    home.number(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_claim_three_hundred_coupons_at_two_instances() {
    let home = Home::new().await;
    let (one, two) = (home.start().await, home.start().await);
    home.listen().await;
    let campaign_id = one.campaign(&home, settings(300)).await;
    let people = people(2_000);
    let (got, refused) = rush(&home, &[&one, &two], campaign_id, &people).await;
    assert_eq!((got.len(), kept(&home, campaign_id).await), (300, 300));
    assert_eq!(refused, BTreeSet::from(["COUPONS_SOLD_OUT".to_owned()]));
    // The same requests once more, at the other instance: the same answers.
    let (again, refused) = rush(&home, &[&two, &one], campaign_id, &people).await;
    assert_eq!(again, got);
    assert_eq!(refused, BTreeSet::from(["COUPONS_SOLD_OUT".to_owned()]));
    let stats = one.stats(&home, campaign_id).await;
    assert_eq!(
        (stats.issued, stats.remaining, stats.available),
        (300, Some(0), 300)
    );
    let request = pb::GetCampaignRequest {
        campaign_id: campaign_id.to_string(),
    };
    let request = home.by(mesh::id::new(), Role::Admin, request);
    let campaign = one.campaigns.clone().get_campaign(request).await.unwrap();
    let campaign = campaign.into_inner().campaign.unwrap();
    assert_eq!(campaign.state(), CampaignState::Exhausted);
    assert_eq!(home.told("CouponClaimed").await, (300, 300));
    assert_eq!(home.told("CampaignExhausted").await, (1, 1));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_gets_as_many_as_it_may_whatever_it_sends() {
    let home = Home::new().await;
    let instance = home.start().await;
    let settings = pb::CampaignSettings {
        per_account_max: 3,
        ..settings(100)
    };
    let campaign_id = instance.campaign(&home, settings).await;
    let account = mesh::id::new();
    let tabs: Vec<(Uuid, Uuid)> = (0..20).map(|_| (account, mesh::id::new())).collect();
    let (got, refused) = rush(&home, &[&instance], campaign_id, &tabs).await;
    assert_eq!((got.len(), kept(&home, campaign_id).await), (3, 3));
    assert_eq!(refused, BTreeSet::from(["ALREADY_CLAIMED".to_owned()]));
    let refused = instance
        .claim(&home, campaign_id, account, mesh::id::new())
        .await;
    let named: BTreeSet<String> = detail(&refused.unwrap_err(), "coupon_ids")
        .split(',')
        .map(str::to_owned)
        .collect();
    assert_eq!(named, got);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_issued_as_are_asked_for_where_there_is_no_limit() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(-1)).await;
    let (got, refused) = rush(&home, &[&instance], campaign_id, &people(300)).await;
    assert_eq!((got.len(), refused.len()), (300, 0));
    let stats = instance.stats(&home, campaign_id).await;
    assert_eq!((stats.issued, stats.remaining), (300, None));
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_refused_outside_of_their_window() {
    let home = Home::new().await;
    let instance = home.start().await;
    let now = mesh::clock::now();
    let early = pb::CampaignSettings {
        claim_open_time: Some(to_timestamp(now + TimeDelta::minutes(30))),
        ..settings(5)
    };
    let unlimited = pb::CampaignSettings {
        stock: -1,
        ..early.clone()
    };
    for settings in [early, unlimited] {
        let campaign_id = instance.campaign(&home, settings).await;
        for _ in 0..2 {
            let refused = instance
                .claim(&home, campaign_id, mesh::id::new(), mesh::id::new())
                .await;
            let refused = refused.unwrap_err();
            assert_eq!(reason(&refused), "CLAIM_NOT_OPEN");
            assert!(detail(&refused, "open_time").starts_with("20"));
        }
        assert_eq!(kept(&home, campaign_id).await, 0);
    }
    let admin = (mesh::id::new(), Role::Admin);
    for stock in [5, -1] {
        let campaign_id = instance.campaign(&home, settings(stock)).await;
        let (account, request) = (mesh::id::new(), mesh::id::new());
        let got = instance
            .claim(&home, campaign_id, account, request)
            .await
            .unwrap();
        instance
            .end(&home, admin, &campaign_id.to_string())
            .await
            .unwrap();
        let refused = instance
            .claim(&home, campaign_id, mesh::id::new(), mesh::id::new())
            .await;
        assert_eq!(reason(&refused.unwrap_err()), "CLAIM_WINDOW_OVER");
        // Whoever has one is still told.
        let again = instance
            .claim(&home, campaign_id, account, request)
            .await
            .unwrap();
        assert_eq!(again, got);
    }
    let draft = instance.create(&home, admin, settings(1)).await.unwrap();
    let draft: Uuid = draft.campaign_id.parse().unwrap();
    for campaign_id in [draft, mesh::id::new()] {
        let refused = instance
            .claim(&home, campaign_id, mesh::id::new(), mesh::id::new())
            .await;
        assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_FOUND");
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_finds_the_coupons_and_nobody_else_does() {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let mut mine = Vec::new();
    for days in [30, 10, 20] {
        let settings = pb::CampaignSettings {
            use_days: days,
            ..settings(5)
        };
        let campaign_id = instance.campaign(&home, settings).await;
        mine.push(
            instance
                .claim(&home, campaign_id, account, mesh::id::new())
                .await
                .unwrap(),
        );
    }
    mine.sort_by_key(|coupon| coupon.expire_time.unwrap().seconds);
    let list = async |account, state: CouponState, page_token: String| {
        let request = pb::ListMyCouponsRequest {
            state: state.into(),
            page_size: 2,
            page_token,
        };
        let request = home.by(account, Role::User, request);
        let page = instance.coupons.clone().list_my_coupons(request).await;
        page.unwrap().into_inner()
    };
    let first = list(account, CouponState::Unspecified, String::new()).await;
    let second = list(account, CouponState::Unspecified, first.next_page_token).await;
    assert_eq!([first.coupons, second.coupons].concat(), mine);
    assert_eq!(second.next_page_token, "");
    assert_eq!(mine[0].state(), CouponState::Available);
    home.sql(&format!(
        "UPDATE coupon SET expire_time = now() - interval '1 s' WHERE coupon_id = '{}'",
        mine[0].coupon_id
    ))
    .await;
    let expired = list(account, CouponState::Expired, String::new())
        .await
        .coupons;
    assert_eq!(
        expired
            .iter()
            .map(|coupon| (&coupon.coupon_id, coupon.state()))
            .collect::<Vec<_>>(),
        [(&mine[0].coupon_id, CouponState::Expired)]
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_shown_to_its_owner_and_to_administrators() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(5)).await;
    let (account, other) = (mesh::id::new(), mesh::id::new());
    let claimed = instance
        .claim(&home, campaign_id, account, mesh::id::new())
        .await;
    let mine = claimed.unwrap();
    let list = home.by(other, Role::User, pb::ListMyCouponsRequest::default());
    let listed = instance
        .coupons
        .clone()
        .list_my_coupons(list)
        .await
        .unwrap();
    assert!(listed.into_inner().coupons.is_empty());
    for (account, role, found) in [
        (account, Role::User, true),
        (other, Role::User, false),
        (other, Role::Admin, true),
    ] {
        let request = pb::GetCouponRequest {
            coupon_id: mine.coupon_id.clone(),
        };
        let request = home.by(account, role, request);
        let answer = instance.coupons.clone().get_coupon(request).await;
        match answer {
            Ok(coupon) => assert!(found && coupon.into_inner().coupon.as_ref() == Some(&mine)),
            Err(status) => assert!(!found && reason(&status) == "COUPON_NOT_FOUND"),
        }
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_told_the_coupon_whatever_the_gate_remembers() {
    let home = Home::new().await;
    let (one, two) = (home.start().await, home.start().await);
    for per_account_max in [1, 3] {
        let settings = pb::CampaignSettings {
            per_account_max,
            ..settings(2)
        };
        let campaign_id = one.campaign(&home, settings).await;
        let (account, request) = (mesh::id::new(), mesh::id::new());
        let mine = one.claim(&home, campaign_id, account, request).await;
        let mine = mine.unwrap();
        let repeated = async |instance: &Instance| {
            let again = instance.claim(&home, campaign_id, account, request).await;
            assert_eq!(again.unwrap(), mine, "{per_account_max}");
        };
        repeated(&two).await;
        let last = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        last.await.unwrap();
        repeated(&one).await;
        // Redis forgets who has one, and keeps the rest.
        let keys = gate_keys(&redis(), campaign_id).await;
        let owners: Vec<String> = keys.into_iter().filter(|key| key.contains(":a:")).collect();
        if !owners.is_empty() {
            redis().remove(&owners).await.unwrap();
        }
        repeated(&two).await;
        let admin = (mesh::id::new(), Role::Admin);
        one.end(&home, admin, &campaign_id.to_string())
            .await
            .unwrap();
        repeated(&two).await;
        repeated(&one).await;
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_coupon_once_the_end_was_answered_whichever_instance_is_asked() {
    let home = Home::new().await;
    let (one, two) = (home.start().await, home.start().await);
    let admin = (mesh::id::new(), Role::Admin);
    for stock in [100, -1] {
        let campaign_id = one.campaign(&home, settings(stock)).await;
        let first = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        first.await.unwrap();
        one.end(&home, admin, &campaign_id.to_string())
            .await
            .unwrap();
        let late = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        assert_eq!(reason(&late.await.unwrap_err()), "CLAIM_WINDOW_OVER");
        assert_eq!(kept(&home, campaign_id).await, 1);
    }
    // The same where no gate has heard of the end: Postgres has the last word on whoever is let through.
    for _ in 0..5 {
        let campaign_id = one.campaign(&home, settings(100)).await;
        let claimed = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        claimed.await.unwrap();
        let end = "UPDATE campaign SET state = 'ENDED', version = version + 1 WHERE campaign_id =";
        home.sql(&format!("{end} '{campaign_id}'")).await;
        let late = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        assert_eq!(reason(&late.await.unwrap_err()), "CLAIM_WINDOW_OVER");
        assert_eq!(kept(&home, campaign_id).await, 1);
    }
    one.stop().await;
    two.stop().await;
}
