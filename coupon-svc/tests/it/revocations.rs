//! Coupons that are taken back: at once, or when their booking lets them go, and never both taken back and held.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use coupon_svc::app::revocations::take_back;
use coupon_svc::domain::coupon::Kept;
use coupon_svc::store;
use coupon_svc::store::coupons::{self, CouponLock};
use futures_util::future::{join, join_all};
use mesh::identity::Role;
use mesh::pg::{Connection, TxError};
use proto::usher::coupon::v1 as pb;
use tokio::sync::Notify;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::grants::{admin, cancel, done, grant, people, recipients, to_grant};
use crate::reservations::{CONTRADICTIONS, Call, call, coupon, state, unusable};
use crate::service::{Home, Instance, detail, fields, reason, settings};

type By = (Uuid, Role);

async fn revoke_with(
    instance: &Instance,
    home: &Home,
    (account_id, role): By,
    request_id: Uuid,
    coupons: &[Uuid],
) -> Result<BTreeMap<Uuid, pb::CouponState>, Status> {
    let request = pb::RevokeCouponsRequest {
        request_id: request_id.to_string(),
        coupon_ids: coupons.iter().map(Uuid::to_string).collect(),
    };
    let request = home.by(account_id, role, request);
    let answer = instance.issued.clone().revoke_coupons(request).await?;
    let told = answer.into_inner().coupons.into_iter();
    Ok(told
        .map(|one| (one.coupon_id.parse().unwrap(), one.state()))
        .collect())
}

async fn revoke(
    instance: &Instance,
    home: &Home,
    coupons: &[Uuid],
) -> BTreeMap<Uuid, pb::CouponState> {
    let revoked = revoke_with(instance, home, admin(), mesh::id::new(), coupons).await;
    revoked.unwrap()
}

/// What is done to a coupon, where it stands then, once its revocation was ordered, and after what its booking does next.
type Case = (
    u32,
    &'static [Call],
    pb::CouponState,
    &'static [(Call, pb::CouponState)],
);

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_taken_back_at_once_or_when_its_booking_lets_it_go() {
    use Call::{Commit, Release, Reserve, Restore};
    use pb::CouponState::{Reserved, Revoked, Used};

    let cases: [Case; 9] = [
        (1, &[], Revoked, &[]),
        (1, &[Reserve, Release], Revoked, &[]),
        (1, &[Reserve, Commit, Restore], Revoked, &[]),
        // Used once of twice: what was used comes back to nobody.
        (2, &[Reserve, Commit], Revoked, &[(Restore, Revoked)]),
        (1, &[Reserve], Reserved, &[(Release, Revoked)]),
        (
            1,
            &[Reserve],
            Reserved,
            &[(Commit, Used), (Restore, Revoked)],
        ),
        (1, &[Reserve], Reserved, &[(Restore, Revoked)]),
        (
            2,
            &[Reserve],
            Reserved,
            &[(Commit, Revoked), (Restore, Revoked)],
        ),
        (1, &[Reserve, Commit], Used, &[(Restore, Revoked)]),
    ];
    let home = Home::new().await;
    let instance = home.start().await;
    home.listen().await;
    for (uses, way, revoked, then) in cases {
        let account = mesh::id::new();
        let only = coupon(&instance, &home, account, uses).await;
        let who = (mesh::id::new(), account);
        for step in way {
            call(&instance, &home, *step, who, &[only]).await.unwrap();
        }
        let restored = home.told("CouponRestored").await;
        for _ in 0..2 {
            let told = revoke(&instance, &home, &[only]).await;
            assert_eq!(told, BTreeMap::from([(only, revoked)]), "{way:?}");
        }
        for (step, after) in then {
            for _ in 0..2 {
                call(&instance, &home, *step, who, &[only]).await.unwrap();
                let stands = state(&instance, &home, account, only).await;
                assert_eq!(stands, *after, "{way:?}, {step:?}");
            }
        }
        assert_eq!(home.told("CouponRestored").await, restored, "{way:?}");
        let other = (mesh::id::new(), account);
        let refused = call(&instance, &home, Reserve, other, &[only]).await;
        assert_eq!(unusable(refused.unwrap_err().status()), ["REVOKED"]);
        assert_eq!(home.number(CONTRADICTIONS).await, 0, "{way:?}");
    }
    assert_eq!(home.told("CouponRevoked").await, (9, 9), "once of each");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_given_to_nobody() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, settings(2)).await;
    let (account, request) = (mesh::id::new(), mesh::id::new());
    let claimed = instance.claim(&home, campaign_id, account, request).await;
    let mine: Uuid = claimed.unwrap().coupon_id.parse().unwrap();
    revoke(&instance, &home, &[mine]).await;
    let stats = instance.stats(&home, campaign_id).await;
    let counted = (stats.issued, stats.remaining, stats.revoked);
    assert_eq!(counted, (1, Some(1), 1));
    let another = instance.claim(&home, campaign_id, account, mesh::id::new());
    assert_eq!(reason(&another.await.unwrap_err()), "ALREADY_CLAIMED");
    // The claim is answered as ever.
    let same = instance.claim(&home, campaign_id, account, request);
    let same = same.await.unwrap();
    assert_eq!(
        (same.coupon_id.clone(), same.state()),
        (mine.to_string(), pb::CouponState::Revoked)
    );
    let last = instance.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
    last.await.unwrap();
    let late = instance.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
    assert_eq!(reason(&late.await.unwrap_err()), "COUPONS_SOLD_OUT");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_decides_about_a_campaign_takes_its_coupons_back() {
    let home = Home::new().await;
    let instance = home.start().await;
    let (seller, stranger) = (
        (mesh::id::new(), Role::Seller),
        (mesh::id::new(), Role::Seller),
    );
    let campaign = instance.create(&home, seller, settings(5)).await.unwrap();
    let campaign_id = campaign.campaign_id;
    instance.open(&home, seller, &campaign_id).await.unwrap();
    let account = mesh::id::new();
    let claimed = instance.claim(
        &home,
        campaign_id.parse().unwrap(),
        account,
        mesh::id::new(),
    );
    let theirs: Uuid = claimed.await.unwrap().coupon_id.parse().unwrap();
    let platforms = coupon(&instance, &home, account, 1).await;
    let nobodys = mesh::id::new();
    for (by, coupons, named) in [
        (stranger, vec![theirs], theirs),
        (seller, vec![theirs, platforms], platforms),
        (admin(), vec![theirs, platforms, nobodys], nobodys),
    ] {
        let refused = revoke_with(&instance, &home, by, mesh::id::new(), &coupons).await;
        let refused = refused.unwrap_err();
        let told = (reason(&refused), detail(&refused, "coupon_ids"));
        assert_eq!(told, ("COUPON_NOT_FOUND".to_owned(), named.to_string()));
    }
    let owner = (account, Role::User);
    let refused = revoke_with(&instance, &home, owner, mesh::id::new(), &[theirs]).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let untouched = "SELECT count(*) AS n FROM coupon WHERE state = 'AVAILABLE'";
    assert_eq!(home.number(untouched).await, 2, "all or none");

    let request = mesh::id::new();
    for _ in 0..2 {
        let told = revoke_with(&instance, &home, seller, request, &[theirs, theirs]).await;
        assert_eq!(told.unwrap().len(), 1);
    }
    let reused = revoke_with(&instance, &home, seller, request, &[platforms]).await;
    assert_eq!(reason(&reused.unwrap_err()), "REQUEST_ID_REUSED");
    for count in [0, 501] {
        let ids = vec![nobodys; count];
        let refused = revoke_with(&instance, &home, seller, mesh::id::new(), &ids).await;
        assert_eq!(fields(&refused.unwrap_err()), ["coupon_ids"]);
    }
    let bad = pb::RevokeCouponsRequest {
        request_id: String::new(),
        coupon_ids: vec![theirs.to_string(), "\0".to_owned()],
    };
    let bad = home.by(mesh::id::new(), Role::Admin, bad);
    let refused = instance.issued.clone().revoke_coupons(bad).await;
    let named = fields(&refused.unwrap_err());
    assert_eq!(named, ["request_id", "coupon_ids[1]"]);
    instance.stop().await;
}

async fn revoke_grant(
    instance: &Instance,
    home: &Home,
    (account_id, role): By,
    request_id: Uuid,
    grant_id: &str,
) -> Result<pb::RevokeGrantResponse, Status> {
    let request = pb::RevokeGrantRequest {
        request_id: request_id.to_string(),
        grant_id: grant_id.to_owned(),
    };
    let request = home.by(account_id, role, request);
    let answer = instance.grants.clone().revoke_grant(request).await?;
    Ok(answer.into_inner())
}

fn counts(answer: &pb::RevokeGrantResponse) -> (u32, u32, u32) {
    (answer.revoked, answer.reserved, answer.used)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_grant_is_taken_back_once_it_is_over() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.listen().await;
    let campaign_id = instance.campaign(&home, to_grant(-1)).await.to_string();
    let other = grant(&instance, &home, admin(), &campaign_id, people(1)).await;
    let ordered = grant(&instance, &home, admin(), &campaign_id, people(1_100)).await;
    let (other, ordered) = (other.unwrap().grant_id, ordered.unwrap().grant_id);
    done(&instance, &home, &other).await;
    let over = done(&instance, &home, &ordered).await;
    let got = recipients(&instance, &home, &ordered, pb::GrantOutcome::Granted).await;
    let mut held = Vec::new();
    for (person, last) in got[500..502].iter().zip([Call::Reserve, Call::Commit]) {
        let who = (mesh::id::new(), person.account_id.parse().unwrap());
        let only = [person.coupon_id.parse().unwrap()];
        call(&instance, &home, Call::Reserve, who, &only)
            .await
            .unwrap();
        call(&instance, &home, last, who, &only).await.unwrap();
        held.push((who, only));
    }
    let request = mesh::id::new();
    for _ in 0..2 {
        let told = revoke_grant(&instance, &home, admin(), request, &ordered).await;
        let told = told.unwrap();
        assert_eq!(counts(&told), (1_098, 1, 1));
        assert_eq!(told.grant.unwrap(), over);
    }
    assert_eq!(home.told("CouponRevoked").await, (1_098, 1_098));
    for ((who, only), last) in held.iter().zip([Call::Release, Call::Restore]) {
        call(&instance, &home, last, *who, only).await.unwrap();
    }
    let told = revoke_grant(&instance, &home, admin(), mesh::id::new(), &ordered).await;
    assert_eq!(counts(&told.unwrap()), (1_100, 0, 0));
    assert_eq!(home.told("CouponRevoked").await, (1_100, 1_100));
    let kept = "SELECT count(*) AS n FROM coupon WHERE state = 'AVAILABLE'";
    assert_eq!(home.number(kept).await, 1, "that of the other grant");
    let stranger = (mesh::id::new(), Role::Seller);
    let refused = revoke_grant(&instance, &home, stranger, mesh::id::new(), &other).await;
    assert_eq!(reason(&refused.unwrap_err()), "GRANT_NOT_FOUND");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_under_way_is_cancelled_before_it_is_taken_back_and_a_broken_call_goes_on() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, to_grant(-1)).await.to_string();
    // Nobody gives it.
    home.sql(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$; \
         CREATE TRIGGER stop BEFORE INSERT ON coupon FOR EACH STATEMENT EXECUTE FUNCTION stop()",
    )
    .await;
    let ordered = grant(&instance, &home, admin(), &campaign_id, people(1)).await;
    let ordered = ordered.unwrap().grant_id;
    let refused = revoke_grant(&instance, &home, admin(), mesh::id::new(), &ordered).await;
    assert_eq!(reason(&refused.unwrap_err()), "GRANT_NOT_FINISHED");
    crate::service::until("nobody works on it", async || {
        let cancelled = cancel(&instance, &home, admin(), &ordered).await;
        cancelled.ok()
    })
    .await;
    let told = revoke_grant(&instance, &home, admin(), mesh::id::new(), &ordered).await;
    assert_eq!(counts(&told.unwrap()), (0, 0, 0));

    home.sql("DROP TRIGGER stop ON coupon").await;
    let ordered = grant(&instance, &home, admin(), &campaign_id, people(1_100)).await;
    let ordered = ordered.unwrap().grant_id;
    done(&instance, &home, &ordered).await;
    // The second batch fails.
    home.sql(&format!(
        "CREATE TRIGGER stop BEFORE UPDATE ON coupon FOR EACH ROW WHEN (NEW.coupon_id = (\
         '{}')::uuid) EXECUTE FUNCTION stop()",
        recipients(&instance, &home, &ordered, pb::GrantOutcome::Granted).await[700].coupon_id
    ))
    .await;
    let request = mesh::id::new();
    let broken = revoke_grant(&instance, &home, admin(), request, &ordered).await;
    assert_eq!(broken.unwrap_err().code(), Code::Internal);
    let revoked = "SELECT count(*) AS n FROM coupon WHERE state = 'REVOKED'";
    assert_eq!(home.number(revoked).await, 500);
    home.sql("DROP TRIGGER stop ON coupon").await;
    let told = revoke_grant(&instance, &home, admin(), request, &ordered).await;
    assert_eq!(counts(&told.unwrap()), (1_100, 0, 0));
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_booking_and_a_revocation_at_once_one_has_the_coupon() {
    let home = Home::new().await;
    let instances = [home.start().await, home.start().await];
    let account = mesh::id::new();
    let (mut reserved, mut revoked) = (0, 0);
    for turn in 0..24 {
        let coupons = [
            coupon(&instances[0], &home, account, 1).await,
            coupon(&instances[0], &home, account, 1).await,
        ];
        let who = (mesh::id::new(), account);
        let (first, second) = (&instances[turn % 2], &instances[(turn + 1) % 2]);
        let reserve = call(first, &home, Call::Reserve, who, &coupons);
        let (answer, told) = join(reserve, revoke(second, &home, &coupons)).await;
        let expected = if let Err(refused) = answer {
            revoked += 1;
            assert_eq!(unusable(refused.status()), ["REVOKED", "REVOKED"]);
            pb::CouponState::Revoked
        } else {
            reserved += 1;
            pb::CouponState::Reserved
        };
        for one in coupons {
            assert_eq!(told[&one], expected, "it was told what is");
            let stands = state(first, &home, account, one).await;
            assert_eq!(stands, expected);
        }
        assert_eq!(home.number(CONTRADICTIONS).await, 0);
    }
    assert_eq!(reserved + revoked, 24);
    for instance in instances {
        instance.stop().await;
    }
}

/// A booking that is slow and a revocation want one coupon at once, with the lock as the argument says. Answers whether the coupon was
/// told to be taken back, and whether the booking has it.
async fn both_at_once(lock: CouponLock) -> (bool, bool) {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let only = coupon(&instance, &home, account, 1).await;
    let (database, other) = (home.database().await, home.database().await);
    let looked = Arc::new(Notify::new());
    let seen = Arc::clone(&looked);
    let reserve = async move |connection: &mut Connection| {
        let reservation_id = mesh::id::new();
        let sql = format!(
            "INSERT INTO reservation VALUES ('{reservation_id}', '{reservation_id}', '{account}', 'RESERVED')"
        );
        diesel_async::SimpleAsyncConnection::batch_execute(connection, &sql).await?;
        let found = coupons::lock(connection, &[only], lock).await?;
        let free = found[&only].kept == Kept::Available;
        looked.notify_one();
        // So long that the other one would be done.
        diesel_async::SimpleAsyncConnection::batch_execute(connection, "SELECT pg_sleep(0.2)")
            .await?;
        if free {
            store::reservations::hold(connection, reservation_id, &[only]).await?;
        }
        Ok(free)
    };
    let revoke = async move |connection: &mut Connection| {
        take_back(connection, &[only], lock).await?;
        let found = coupons::of(connection, &[only]).await?;
        Ok(found[&only].kept == Kept::Revoked)
    };
    let reserve = database.transaction::<_, Infallible, _>("reserve", reserve);
    let revoke = async {
        seen.notified().await;
        other
            .transaction::<_, Infallible, _>("revoke", revoke)
            .await
    };
    let outcome: (Result<bool, TxError<Infallible>>, _) = join(reserve, revoke).await;
    let told = (outcome.1.unwrap(), outcome.0.unwrap());
    instance.stop().await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_a_coupon_is_taken_back_and_held() {
    assert_eq!(both_at_once(CouponLock::On).await, (false, true));
    assert_eq!(both_at_once(CouponLock::Off).await, (true, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_that_name_the_same_coupons_in_any_order_all_end() {
    let home = Home::new().await;
    let instances = [home.start().await, home.start().await];
    home.listen().await;
    let account = mesh::id::new();
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(coupon(&instances[0], &home, account, 1).await);
    }
    let calls = (0..8).map(|n| {
        let mut named = all.clone();
        named.rotate_left(n % 6);
        let (instance, home) = (&instances[n % 2], &home);
        async move { revoke(instance, home, &named).await }
    });
    for told in join_all(calls).await {
        assert!(told.values().all(|one| *one == pb::CouponState::Revoked));
    }
    assert_eq!(home.told("CouponRevoked").await, (6, 6));
    for instance in instances {
        instance.stop().await;
    }
}
