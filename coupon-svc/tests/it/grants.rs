//! Grants: everybody who is named gets one coupon, whatever dies in the middle.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use mesh::clock::to_timestamp;
use mesh::identity::Role;
use proto::usher::coupon::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use crate::service::{Home, Instance, detail, fields, reason, settings, until};

pub(crate) type By = (Uuid, Role);

pub(crate) fn admin() -> By {
    (mesh::id::new(), Role::Admin)
}

/// Ten percent off, for whoever is named.
pub(crate) fn to_grant(stock: i64) -> pb::CampaignSettings {
    pb::CampaignSettings {
        issue: pb::IssueMode::Grant.into(),
        ..settings(stock)
    }
}

pub(crate) fn people(count: usize) -> Vec<String> {
    (0..count).map(|_| mesh::id::new().to_string()).collect()
}

pub(crate) async fn grant(
    instance: &Instance,
    home: &Home,
    by: By,
    campaign_id: &str,
    accounts: Vec<String>,
) -> Result<pb::Grant, Status> {
    let request = pb::GrantCouponsRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id: campaign_id.to_owned(),
        account_ids: accounts,
    };
    let request = home.by(by.0, by.1, request);
    let answer = instance.grants.clone().grant_coupons(request).await?;
    Ok(answer.into_inner().grant.unwrap())
}

async fn get(
    instance: &Instance,
    home: &Home,
    by: By,
    grant_id: &str,
) -> Result<pb::Grant, Status> {
    let request = pb::GetGrantRequest {
        grant_id: grant_id.to_owned(),
    };
    let request = home.by(by.0, by.1, request);
    let answer = instance.grants.clone().get_grant(request).await?;
    Ok(answer.into_inner().grant.unwrap())
}

pub(crate) async fn cancel(
    instance: &Instance,
    home: &Home,
    by: By,
    grant_id: &str,
) -> Result<pb::Grant, Status> {
    let request = pb::CancelGrantRequest {
        request_id: mesh::id::new().to_string(),
        grant_id: grant_id.to_owned(),
    };
    let request = home.by(by.0, by.1, request);
    let answer = instance.grants.clone().cancel_grant(request).await?;
    Ok(answer.into_inner().grant.unwrap())
}

pub(crate) async fn done(instance: &Instance, home: &Home, grant_id: &str) -> pb::Grant {
    until("the grant is done", async || {
        let grant = get(instance, home, admin(), grant_id).await.unwrap();
        (grant.state() == pb::GrantState::Done).then_some(grant)
    })
    .await
}

/// Everybody of a grant who got this, page by page.
pub(crate) async fn recipients(
    instance: &Instance,
    home: &Home,
    grant_id: &str,
    outcome: pb::GrantOutcome,
) -> Vec<pb::GrantRecipient> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListGrantRecipientsRequest {
            grant_id: grant_id.to_owned(),
            outcome: outcome.into(),
            page_size: 200,
            page_token,
        };
        let (account_id, role) = admin();
        let request = home.by(account_id, role, request);
        let answer = instance.grants.clone().list_grant_recipients(request).await;
        let answer = answer.unwrap().into_inner();
        all.extend(answer.recipients);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn accounts(recipients: &[pb::GrantRecipient]) -> Vec<String> {
    recipients
        .iter()
        .map(|one| one.account_id.clone())
        .collect()
}

fn counts(grant: &pb::Grant) -> [u32; 5] {
    [
        grant.total,
        grant.granted,
        grant.already_had,
        grant.no_stock,
        grant.too_late,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_one_and_who_has_one_is_told() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.listen().await;
    let campaign_id = instance.campaign(&home, to_grant(-1)).await.to_string();
    let mut named = people(1_200);
    named.push(named[0].clone());
    let ordered = grant(&instance, &home, admin(), &campaign_id, named.clone())
        .await
        .unwrap();
    assert_eq!(
        (ordered.total, ordered.state()),
        (1_200, pb::GrantState::Pending)
    );
    named.pop();
    let first = done(&instance, &home, &ordered.grant_id).await;
    assert_eq!(counts(&first), [1_200, 1_200, 0, 0, 0]);
    assert!(first.finish_time.is_some());
    let got = recipients(
        &instance,
        &home,
        &ordered.grant_id,
        pb::GrantOutcome::Unspecified,
    )
    .await;
    assert_eq!(
        accounts(&got),
        named,
        "in the order in which they were named"
    );
    let coupons: BTreeSet<&String> = got.iter().map(|one| &one.coupon_id).collect();
    assert_eq!(coupons.len(), 1_200);
    assert_eq!(home.told("CouponClaimed").await, (1_200, 1_200));
    let mut others = people(2);
    others.push(named[7].clone());
    let second = grant(&instance, &home, admin(), &campaign_id, others.clone())
        .await
        .unwrap();
    let second = done(&instance, &home, &second.grant_id).await;
    assert_eq!(counts(&second), [3, 2, 1, 0, 0]);
    let had = pb::GrantOutcome::AlreadyHad;
    let had = recipients(&instance, &home, &second.grant_id, had).await;
    assert_eq!(accounts(&had), [named[7].clone()]);
    let request = pb::ListGrantsRequest {
        campaign_id,
        ..pb::ListGrantsRequest::default()
    };
    let (account_id, role) = admin();
    let request = home.by(account_id, role, request);
    let listed = instance.grants.clone().list_grants(request).await.unwrap();
    assert_eq!(listed.into_inner().grants, [second, first]);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_goes_to_those_who_were_named_first_and_the_others_are_told() {
    let home = Home::new().await;
    let instances = [home.start().await, home.start().await];
    let instance = &instances[0];
    home.listen().await;
    let campaign_id = instance.campaign(&home, to_grant(700)).await.to_string();
    let named = people(1_500);
    let ordered = grant(instance, &home, admin(), &campaign_id, named.clone())
        .await
        .unwrap();
    let ended = done(instance, &home, &ordered.grant_id).await;
    assert_eq!(counts(&ended), [1_500, 700, 0, 800, 0]);
    let nothing = pb::GrantOutcome::NoStock;
    let nothing = recipients(instance, &home, &ordered.grant_id, nothing).await;
    assert_eq!(accounts(&nothing), named[700..]);
    let stats = instance.stats(&home, campaign_id.parse().unwrap()).await;
    assert_eq!((stats.issued, stats.remaining), (700, Some(0)));
    assert_eq!(home.told("CampaignExhausted").await, (1, 1));
    // Two at once share what there is.
    let campaign_id = instance.campaign(&home, to_grant(900)).await.to_string();
    let orders = instances.iter().map(async |instance| {
        let ordered = grant(instance, &home, admin(), &campaign_id, people(800)).await;
        done(instance, &home, &ordered.unwrap().grant_id)
            .await
            .granted
    });
    let granted = futures_util::future::join_all(orders).await;
    assert_eq!(granted.iter().sum::<u32>(), 900, "{granted:?}");
    for instance in instances {
        instance.stop().await;
    }
}

/// Whoever makes coupons is slow, so that there is a middle.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$; \
     CREATE TRIGGER slow BEFORE INSERT ON coupon FOR EACH STATEMENT EXECUTE FUNCTION slow()";

#[test]
fn an_instance_that_dies_in_the_middle_costs_nobody_a_coupon() {
    let survivors = tokio::runtime::Runtime::new().unwrap();
    let doomed = tokio::runtime::Runtime::new().unwrap();
    let (home, named) = (Arc::new(survivors.block_on(Home::new())), people(3_000));
    let (first, theirs) = (Arc::clone(&home), named.clone());
    let (grant_id, instance) = doomed.block_on(async move {
        let instance = first.start().await;
        first.sql(SLOW).await;
        first.listen().await;
        let campaign_id = instance.campaign(&first, to_grant(-1)).await.to_string();
        let ordered = grant(&instance, &first, admin(), &campaign_id, theirs)
            .await
            .unwrap();
        until("it is in the middle", async || {
            let grant = get(&instance, &first, admin(), &ordered.grant_id)
                .await
                .unwrap();
            (grant.granted > 0).then_some(())
        })
        .await;
        (ordered.grant_id, instance)
    });
    // Nothing of it runs any more, wherever it was.
    doomed.shutdown_background();
    drop(instance);
    survivors.block_on(async {
        let left = "SELECT granted::bigint AS n FROM coupon_grant";
        assert!(home.number(left).await < 3_000);
        let instance = home.start().await;
        let ended = done(&instance, &home, &grant_id).await;
        assert_eq!(counts(&ended), [3_000, 3_000, 0, 0, 0]);
        let got = recipients(&instance, &home, &grant_id, pb::GrantOutcome::Granted).await;
        assert_eq!(accounts(&got), named);
        let coupons = "SELECT count(*) AS n FROM coupon c JOIN grant_recipient r USING (coupon_id, account_id)";
        assert_eq!(home.number(coupons).await, 3_000);
        assert_eq!(home.number("SELECT count(*) AS n FROM coupon").await, 3_000);
        assert_eq!(home.told("CouponClaimed").await, (3_000, 3_000));
        instance.stop().await;
    });
    drop(home);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_grant_is_cancelled_and_what_was_given_stays() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.sql(SLOW).await;
    let seller = (mesh::id::new(), Role::Seller);
    let campaign = instance.create(&home, seller, to_grant(-1)).await.unwrap();
    let id = campaign.campaign_id;
    let refused = grant(&instance, &home, seller, &id, people(1)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_OPEN");
    instance.open(&home, seller, &id).await.unwrap();
    let ordered = grant(&instance, &home, seller, &id, people(5_000))
        .await
        .unwrap();
    until("it is in the middle", async || {
        let grant = get(&instance, &home, seller, &ordered.grant_id)
            .await
            .unwrap();
        (grant.granted > 0).then_some(())
    })
    .await;
    let cancelled = until("nobody works on it", async || {
        let cancelled = cancel(&instance, &home, seller, &ordered.grant_id).await;
        cancelled.ok()
    })
    .await;
    assert_eq!(cancelled.state(), pb::GrantState::Cancelled);
    assert!(
        cancelled.granted > 0 && cancelled.granted < 5_000,
        "{cancelled:?}"
    );
    let again = cancel(&instance, &home, seller, &ordered.grant_id)
        .await
        .unwrap();
    assert_eq!(again, cancelled);
    // Whoever looks for work finds none of it: a grant that comes later is done before it.
    let later = grant(&instance, &home, seller, &id, people(1))
        .await
        .unwrap();
    let later = done(&instance, &home, &later.grant_id).await;
    let refused = cancel(&instance, &home, seller, &later.grant_id).await;
    assert_eq!(reason(&refused.unwrap_err()), "GRANT_FINISHED");
    let kept = home.number("SELECT count(*) AS n FROM coupon").await;
    assert_eq!(kept, i64::from(cancelled.granted) + 1);
    let pending = pb::GrantOutcome::Pending;
    let pending = recipients(&instance, &home, &ordered.grant_id, pending).await;
    assert_eq!(
        u32::try_from(pending.len()).unwrap(),
        5_000 - cancelled.granted
    );
    let stranger = (mesh::id::new(), Role::Seller);
    let refused = get(&instance, &home, stranger, &ordered.grant_id).await;
    assert_eq!(reason(&refused.unwrap_err()), "GRANT_NOT_FOUND");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_after_the_end_gets_nothing() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.sql(SLOW).await;
    let id = instance.campaign(&home, to_grant(-1)).await.to_string();
    let ordered = grant(&instance, &home, admin(), &id, people(3_000))
        .await
        .unwrap();
    until("it is in the middle", async || {
        let grant = get(&instance, &home, admin(), &ordered.grant_id)
            .await
            .unwrap();
        (grant.granted > 0).then_some(())
    })
    .await;
    instance.end(&home, admin(), &id).await.unwrap();
    let ended = done(&instance, &home, &ordered.grant_id).await;
    assert!(
        ended.too_late > 0 && ended.granted + ended.too_late == 3_000,
        "{ended:?}"
    );
    let refused = grant(&instance, &home, admin(), &id, people(1)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CLAIM_WINDOW_OVER");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_granted_is_refused() {
    let home = Home::new().await;
    let instance = home.start().await;
    let claimed = instance.campaign(&home, settings(5)).await.to_string();
    let refused = grant(&instance, &home, admin(), &claimed, people(1))
        .await
        .unwrap_err();
    let told = (reason(&refused), detail(&refused, "issue"));
    assert_eq!(told, ("ISSUED_OTHERWISE".to_owned(), "CLAIM".to_owned()));
    let later = pb::CampaignSettings {
        claim_open_time: Some(to_timestamp(mesh::clock::now() + TimeDelta::minutes(50))),
        ..to_grant(5)
    };
    let later = instance.campaign(&home, later).await;
    let refused = grant(&instance, &home, admin(), &later.to_string(), people(1)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CLAIM_NOT_OPEN");
    let refused = instance
        .claim(&home, later, mesh::id::new(), mesh::id::new())
        .await;
    assert_eq!(reason(&refused.unwrap_err()), "ISSUED_OTHERWISE");
    let wrong = vec!["x".to_owned(), mesh::id::new().to_string(), "y".to_owned()];
    let refused = grant(&instance, &home, admin(), "z", wrong)
        .await
        .unwrap_err();
    let mut named = fields(&refused);
    named.sort();
    let expected = ["account_ids[0]", "account_ids[2]", "campaign_id"];
    assert_eq!(named, expected);
    for count in [0, 10_001] {
        let refused = grant(&instance, &home, admin(), &claimed, people(count)).await;
        assert_eq!(fields(&refused.unwrap_err()), ["account_ids"]);
    }
    let stranger = (mesh::id::new(), Role::Seller);
    let refused = grant(&instance, &home, stranger, &claimed, people(1)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_FOUND");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_repeated_when_its_request_is_forgotten_is_the_same_grant() {
    let home = Home::new().await;
    let instance = home.start().await;
    let settings = pb::CampaignSettings {
        per_account_max: 2,
        ..to_grant(-1)
    };
    let campaign_id = instance.campaign(&home, settings).await.to_string();
    let (by, named) = (admin(), people(3));
    let request = pb::GrantCouponsRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id,
        account_ids: named,
    };
    let ask = async |by: By, request: pb::GrantCouponsRequest| {
        let request = home.by(by.0, by.1, request);
        let answer = instance.grants.clone().grant_coupons(request).await;
        answer.map(|answer| answer.into_inner().grant.unwrap())
    };
    let first = ask(by, request.clone()).await.unwrap();
    let first = done(&instance, &home, &first.grant_id).await;
    for _ in 0..2 {
        home.sql("DELETE FROM idempotency").await;
        assert_eq!(ask(by, request.clone()).await.unwrap(), first);
    }
    home.sql("DELETE FROM idempotency").await;
    let other = pb::GrantCouponsRequest {
        account_ids: people(3),
        ..request.clone()
    };
    let reused = ask(by, other).await;
    assert_eq!(reason(&reused.unwrap_err()), "REQUEST_ID_REUSED");
    assert_eq!(home.number("SELECT count(*) AS n FROM coupon").await, 3);
    // What is found by is what holds it: without the key the same order gives everybody another one.
    home.sql(
        "DELETE FROM idempotency; UPDATE coupon_grant SET request_key = NULL, request_hash = NULL",
    )
    .await;
    let second = ask(by, request).await.unwrap();
    done(&instance, &home, &second.grant_id).await;
    assert_eq!(home.number("SELECT count(*) AS n FROM coupon").await, 6);
    instance.stop().await;
}
