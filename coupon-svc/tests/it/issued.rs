//! Operators look through the coupons that people have: each sees what is theirs to see, page by page, and who has what.

use std::collections::BTreeSet;

use mesh::identity::Role;
use proto::usher::coupon::v1 as pb;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::grants::admin;
use crate::reservations::{Call, call};
use crate::service::{Home, Instance, fields, reason, settings};

type By = (Uuid, Role);

async fn page(
    instance: &Instance,
    home: &Home,
    (account_id, role): By,
    request: pb::ListIssuedCouponsRequest,
) -> Result<pb::ListIssuedCouponsResponse, Status> {
    let request = home.by(account_id, role, request);
    let answer = instance.issued.clone().list_issued_coupons(request).await?;
    Ok(answer.into_inner())
}

/// Every page of a list, one after the other.
async fn all(
    instance: &Instance,
    home: &Home,
    by: By,
    request: pb::ListIssuedCouponsRequest,
) -> Vec<pb::IssuedCoupon> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListIssuedCouponsRequest {
            page_token,
            ..request.clone()
        };
        let answer = page(instance, home, by, request).await.unwrap();
        all.extend(answer.coupons);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn ids(coupons: &[pb::IssuedCoupon]) -> Vec<Uuid> {
    let ids = coupons.iter();
    let ids = ids.map(|one| one.coupon.as_ref().unwrap().coupon_id.parse().unwrap());
    ids.collect()
}

fn of_campaign(campaign_id: Uuid, state: pb::CouponState) -> pb::ListIssuedCouponsRequest {
    pb::ListIssuedCouponsRequest {
        campaign_id: campaign_id.to_string(),
        state: state.into(),
        page_size: 3,
        ..pb::ListIssuedCouponsRequest::default()
    }
}

fn of_account(account_id: Uuid) -> pb::ListIssuedCouponsRequest {
    pb::ListIssuedCouponsRequest {
        account_id: account_id.to_string(),
        page_size: 1,
        ..pb::ListIssuedCouponsRequest::default()
    }
}

/// A campaign of `by` that is open and gives each account two coupons, each for two bookings.
async fn campaign(instance: &Instance, home: &Home, by: By) -> Uuid {
    let settings = pb::CampaignSettings {
        per_account_max: 2,
        uses_per_coupon: 2,
        ..settings(100)
    };
    let campaign = instance.create(home, by, settings).await.unwrap();
    instance
        .open(home, by, &campaign.campaign_id)
        .await
        .unwrap();
    campaign.campaign_id.parse().unwrap()
}

async fn claim(instance: &Instance, home: &Home, campaign_id: Uuid, account_id: Uuid) -> Uuid {
    let claimed = instance.claim(home, campaign_id, account_id, mesh::id::new());
    claimed.await.unwrap().coupon_id.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_what_is_theirs_to_see_and_each_coupon_once() {
    let home = Home::new().await;
    let instance = home.start().await;
    let (seller, other) = (
        (mesh::id::new(), Role::Seller),
        (mesh::id::new(), Role::Seller),
    );
    let mine = campaign(&instance, &home, seller).await;
    let theirs = campaign(&instance, &home, other).await;
    let people: Vec<Uuid> = (0..5).map(|_| mesh::id::new()).collect();
    let (mut of_mine, mut of_first) = (BTreeSet::new(), BTreeSet::new());
    for person in &people {
        for _ in 0..2 {
            of_mine.insert(claim(&instance, &home, mine, *person).await);
        }
    }
    let foreign = claim(&instance, &home, theirs, people[0]).await;
    let any = pb::CouponState::Unspecified;
    for by in [seller, admin()] {
        let listed = all(&instance, &home, by, of_campaign(mine, any)).await;
        let owners: Vec<&String> = listed.iter().map(|one| &one.account_id).collect();
        assert!(owners.is_sorted(), "by account");
        let listed = ids(&listed);
        assert_eq!(listed.len(), 10);
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), of_mine);
    }
    let refused = page(&instance, &home, other, of_campaign(mine, any)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_FOUND");

    // An account in every campaign, in those of the seller, and in one.
    let listed = ids(&all(&instance, &home, admin(), of_account(people[0])).await);
    of_first.extend(listed);
    assert_eq!(of_first.len(), 3);
    let listed = ids(&all(&instance, &home, other, of_account(people[0])).await);
    assert_eq!(listed, [foreign]);
    let both = pb::ListIssuedCouponsRequest {
        campaign_id: mine.to_string(),
        ..of_account(people[0])
    };
    let listed = ids(&all(&instance, &home, admin(), both).await);
    of_first.remove(&foreign);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), of_first);
    let nobody = all(&instance, &home, admin(), of_account(mesh::id::new())).await;
    assert!(nobody.is_empty());
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_of_a_filter_is_told_at_once() {
    let home = Home::new().await;
    let instance = home.start().await;
    let seller = (mesh::id::new(), Role::Seller);
    let mine = campaign(&instance, &home, seller).await;
    let person = mesh::id::new();
    for _ in 0..2 {
        claim(&instance, &home, mine, person).await;
    }
    let both = pb::ListIssuedCouponsRequest {
        campaign_id: mine.to_string(),
        ..of_account(person)
    };
    let token = page(&instance, &home, seller, both.clone()).await.unwrap();
    assert!(!token.next_page_token.is_empty());
    let elsewhere = pb::ListIssuedCouponsRequest {
        page_token: token.next_page_token,
        account_id: mesh::id::new().to_string(),
        ..both
    };
    let refused = page(&instance, &home, seller, elsewhere).await;
    assert_eq!(fields(&refused.unwrap_err()), ["page_token"]);
    let nothing = pb::ListIssuedCouponsRequest::default();
    let refused = page(&instance, &home, admin(), nothing).await;
    assert_eq!(fields(&refused.unwrap_err()), ["campaign_id"]);
    let wrong = pb::ListIssuedCouponsRequest {
        campaign_id: "\0".to_owned(),
        account_id: "x".to_owned(),
        state: 9,
        page_size: -1,
        page_token: "y".to_owned(),
    };
    let refused = page(&instance, &home, admin(), wrong).await;
    let mut named = fields(&refused.unwrap_err());
    named.sort();
    let expected = [
        "account_id",
        "campaign_id",
        "page_size",
        "page_token",
        "state",
    ];
    assert_eq!(named, expected);
    let owner = (person, Role::User);
    let refused = page(&instance, &home, owner, of_account(person)).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    instance.stop().await;
}

/// What bookings do one after the other, where the coupon stands then, and which of the bookings has it.
type Story = (&'static [&'static [Call]], pb::CouponState, Option<usize>);

#[tokio::test(flavor = "multi_thread")]
async fn each_coupon_names_the_booking_that_has_it_and_states_are_told_apart() {
    use Call::{Commit, Release, Reserve, Restore};
    use pb::CouponState::{Available, Expired, Reserved, Revoked, Used};

    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = campaign(&instance, &home, admin()).await;
    let stories: [Story; 7] = [
        (&[], Available, None),
        (&[&[Reserve]], Reserved, Some(0)),
        (&[&[Reserve, Release]], Available, None),
        (&[&[Reserve, Commit]], Available, Some(0)),
        (&[&[Reserve, Commit], &[Reserve]], Reserved, Some(1)),
        (&[&[Reserve, Commit], &[Reserve, Commit]], Used, Some(1)),
        (&[&[Reserve, Commit, Restore]], Available, None),
    ];
    let mut expected = Vec::new();
    for (bookings, state, holder) in stories {
        let account = mesh::id::new();
        let only = claim(&instance, &home, campaign_id, account).await;
        let mut ids = Vec::new();
        for steps in bookings {
            ids.push(mesh::id::new());
            let who = (*ids.last().unwrap(), account);
            for step in *steps {
                call(&instance, &home, *step, who, &[only]).await.unwrap();
            }
        }
        let holder = holder.map_or_else(String::new, |n| ids[n].to_string());
        expected.push((only, state, holder));
    }
    let over = claim(&instance, &home, campaign_id, mesh::id::new()).await;
    let gone = claim(&instance, &home, campaign_id, mesh::id::new()).await;
    home.sql(&format!(
        "UPDATE coupon SET expire_time = now() WHERE coupon_id = '{over}'; \
         UPDATE coupon SET state = 'REVOKED', revoke_time = now() WHERE coupon_id = '{gone}'"
    ))
    .await;
    expected.push((over, Expired, String::new()));
    expected.push((gone, Revoked, String::new()));
    for state in [Available, Reserved, Used, Expired, Revoked] {
        let asked = of_campaign(campaign_id, state);
        let listed = all(&instance, &home, admin(), asked).await;
        let told: BTreeSet<(Uuid, String)> = ids(&listed)
            .into_iter()
            .zip(listed.iter().map(|one| one.booking_id.clone()))
            .collect();
        let wanted = expected.iter().filter(|(_, stands, _)| *stands == state);
        let wanted = wanted.map(|(only, _, holder)| (*only, holder.clone()));
        assert_eq!(told, wanted.collect(), "{state:?}");
        for one in listed {
            // One reservation for each booking, of the same id.
            assert_eq!(one.reservation_id, one.booking_id);
            assert_eq!(one.revoke_time.is_some(), state == Revoked);
            assert_eq!(one.coupon.unwrap().state(), state);
        }
    }
    instance.stop().await;
}
