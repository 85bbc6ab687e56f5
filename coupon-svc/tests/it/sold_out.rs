//! Once everything is gone: nobody is asked any more, and owners are told what they have all the same.

use std::time::Duration;

use proto::usher::coupon::v1 as pb;
use uuid::Uuid;

use crate::service::{Home, Instance, detail, reason, settings, until};

/// An answer from memory comes sooner; one that needs Postgres is waited for in vain.
const GLANCE: Duration = Duration::from_millis(100);
/// Calls between two glances, so that instances have more time to read than not.
const STRANGERS: usize = 100;

async fn refused(home: &Home, instance: &Instance, campaign_id: Uuid, account_id: Uuid) -> String {
    let claimed = instance.claim(home, campaign_id, account_id, mesh::id::new());
    reason(&claimed.await.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_from_memory_and_owners_are_told_what_they_have() {
    let home = Home::new().await;
    let (one, two) = (home.start().await, home.start().await);
    let twice = pb::CampaignSettings {
        per_account_max: 2,
        ..settings(3)
    };
    let campaign_id = one.campaign(&home, twice).await;
    let (has_two, has_one) = (mesh::id::new(), mesh::id::new());
    let mut owned = Vec::new();
    for account in [has_two, has_two, has_one] {
        let request = mesh::id::new();
        let coupon = one.claim(&home, campaign_id, account, request).await;
        owned.push((account, request, coupon.unwrap()));
    }
    for instance in [&one, &two] {
        until("the owners are known", async || {
            // Meanwhile they can be read.
            for _ in 0..STRANGERS {
                let known = refused(&home, instance, campaign_id, mesh::id::new()).await;
                assert_eq!(known, "COUPONS_SOLD_OUT");
            }
            // Nobody can look at coupons now, so that whoever needs to is not answered.
            home.sql("ALTER TABLE coupon RENAME TO hidden").await;
            let told = refused(&home, instance, campaign_id, mesh::id::new());
            let told = tokio::time::timeout(GLANCE, told).await;
            home.sql("ALTER TABLE hidden RENAME TO coupon").await;
            (told.ok()? == "COUPONS_SOLD_OUT").then_some(())
        })
        .await;
        for (account, request, coupon) in &owned {
            let again = instance.claim(&home, campaign_id, *account, *request).await;
            assert_eq!(again.as_ref().unwrap(), coupon);
        }
        let more = instance.claim(&home, campaign_id, has_two, mesh::id::new());
        let more = more.await.unwrap_err();
        assert_eq!(reason(&more), "ALREADY_CLAIMED");
        assert!(detail(&more, "coupon_ids").contains(&owned[1].2.coupon_id));
        let more = refused(&home, instance, campaign_id, has_one).await;
        assert_eq!(more, "COUPONS_SOLD_OUT");
    }
    // The window ends: the answer is that of everybody who comes too late.
    home.sql("UPDATE campaign SET claim_close_time = now(), version = version + 1")
        .await;
    until("the window is over", async || {
        let told = refused(&home, &one, campaign_id, mesh::id::new()).await;
        (told == "CLAIM_WINDOW_OVER").then_some(())
    })
    .await;
    one.stop().await;
    two.stop().await;
}
