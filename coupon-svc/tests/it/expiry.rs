//! The end by time: answered to the moment, written down by whoever looks first, told once.

use mesh::identity::Role;
use proto::usher::coupon::events::v1::{CampaignEndCause, CampaignEnded};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::CampaignState;
use uuid::Uuid;

use crate::service::{Home, Instance, reason, settings, until};

/// Campaigns that stand so.
async fn standing(home: &Home, instance: &Instance, state: CampaignState) -> Vec<String> {
    let request = pb::ListCampaignsRequest {
        state: state.into(),
        ..pb::ListCampaignsRequest::default()
    };
    let request = home.by(mesh::id::new(), Role::Admin, request);
    let listed = instance.campaigns.clone().list_campaigns(request).await;
    let campaigns = listed.unwrap().into_inner().campaigns.into_iter();
    campaigns.map(|campaign| campaign.campaign_id).collect()
}

/// What was told of ends: campaign and cause, ascending.
async fn ends(home: &Home) -> Vec<(String, CampaignEndCause)> {
    let told = home.sent::<CampaignEnded>().await.into_iter();
    let mut told: Vec<_> = told
        .map(|end| (end.campaign_id.clone(), end.cause()))
        .collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_expires_to_the_moment_and_its_end_is_told_once() {
    let home = Home::new().await;
    let (one, two) = (home.start().await, home.start().await);
    home.keep_sent().await;
    let limited = one.campaign(&home, settings(5)).await;
    let unlimited = one.campaign(&home, settings(-1)).await;
    let exhausted = one.campaign(&home, settings(1)).await;
    let ended = one.campaign(&home, settings(5)).await;
    let open = one.campaign(&home, settings(5)).await;
    for campaign_id in [limited, unlimited, exhausted] {
        let claim = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        claim.await.unwrap();
    }
    let admin = (mesh::id::new(), Role::Admin);
    one.end(&home, admin, &ended.to_string()).await.unwrap();
    let over: [Uuid; 4] = [limited, unlimited, exhausted, ended];
    let over_ids = over.map(|id| format!("'{id}'")).join(", ");
    home.sql(&format!(
        "UPDATE campaign SET claim_close_time = now(), version = version + 1 WHERE campaign_id IN ({over_ids})"
    ))
    .await;
    // Whether anybody has written it down yet or not.
    let mut expired = standing(&home, &one, CampaignState::Expired).await;
    expired.sort();
    let mut expected = [limited, unlimited].map(|id| id.to_string());
    expected.sort();
    assert_eq!(expired, expected);
    until("both are written down", async || {
        let count = "SELECT count(*) AS n FROM campaign WHERE state = 'EXPIRED'";
        (home.number(count).await == 2).then_some(())
    })
    .await;
    expired = standing(&home, &two, CampaignState::Expired).await;
    expired.sort();
    assert_eq!(expired, expected);
    for (state, campaign_id) in [
        (CampaignState::Exhausted, exhausted),
        (CampaignState::Ended, ended),
        (CampaignState::Open, open),
    ] {
        assert_eq!(
            standing(&home, &two, state).await,
            [campaign_id.to_string()]
        );
    }
    for campaign_id in [limited, unlimited] {
        let late = two.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
        assert_eq!(reason(&late.await.unwrap_err()), "CLAIM_WINDOW_OVER");
        // An order after it ends it for good, and is not told again.
        let campaign_id = campaign_id.to_string();
        let gone = one.end(&home, admin, &campaign_id).await.unwrap();
        assert_eq!(gone.state(), CampaignState::Ended);
    }
    let mut told = vec![
        (limited.to_string(), CampaignEndCause::ByTime),
        (unlimited.to_string(), CampaignEndCause::ByTime),
        (ended.to_string(), CampaignEndCause::ByOrder),
    ];
    told.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(ends(&home).await, told);
    one.stop().await;
    two.stop().await;
    assert_eq!(ends(&home).await, told);
}
