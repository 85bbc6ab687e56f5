//! What sellers and administrators do.

use mesh::identity::Role;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::CampaignState;

use crate::service::{Home, fields, reason, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_made_changed_opened_and_ended_by_whose_it_is() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.listen().await;
    let (seller, other) = (
        (mesh::id::new(), Role::Seller),
        (mesh::id::new(), Role::Seller),
    );
    let made = instance.create(&home, seller, settings(10)).await.unwrap();
    assert_eq!(
        (made.state(), made.seller_id.as_str()),
        (CampaignState::Draft, seller.0.to_string().as_str())
    );
    let request = pb::UpdateCampaignRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id: made.campaign_id.clone(),
        settings: Some(settings(20)),
    };
    // Also by an administrator; it stays the seller's.
    let update = home.by(mesh::id::new(), Role::Admin, request.clone());
    let changed = instance.campaigns.clone().update_campaign(update).await;
    let changed = changed.unwrap().into_inner().campaign.unwrap();
    assert_eq!(
        (changed.settings.as_ref().unwrap().stock, &changed.seller_id),
        (20, &made.seller_id)
    );
    for refused in [
        instance.open(&home, other, &made.campaign_id).await,
        instance.end(&home, other, &made.campaign_id).await,
    ] {
        assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_FOUND");
    }
    let opened = instance
        .open(&home, seller, &made.campaign_id)
        .await
        .unwrap();
    assert_eq!(opened.state(), CampaignState::Open);
    let again = instance
        .open(&home, seller, &made.campaign_id)
        .await
        .unwrap();
    assert_eq!(again, opened);
    let update = home.by(
        seller.0,
        Role::Seller,
        pb::UpdateCampaignRequest {
            request_id: mesh::id::new().to_string(),
            ..request
        },
    );
    let refused = instance.campaigns.clone().update_campaign(update).await;
    assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_DRAFT");
    let ended = instance
        .end(&home, seller, &made.campaign_id)
        .await
        .unwrap();
    assert_eq!(ended.state(), CampaignState::Ended);
    let refused = instance.open(&home, seller, &made.campaign_id).await;
    assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_DRAFT");
    let parts = "SELECT count(*) AS n FROM campaign_stock";
    assert_eq!(home.number(parts).await, 16, "laid out once");
    instance
        .end(&home, seller, &made.campaign_id)
        .await
        .unwrap();
    assert_eq!(home.told("CampaignEnded").await, (1, 1));
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_come_in_pages_newest_first_and_by_state() {
    let home = Home::new().await;
    let instance = home.start().await;
    let seller = (mesh::id::new(), Role::Seller);
    let mut made = Vec::new();
    for stock in 1..=5 {
        made.push(
            instance
                .create(&home, seller, settings(stock))
                .await
                .unwrap()
                .campaign_id,
        );
    }
    instance
        .create(&home, (mesh::id::new(), Role::Seller), settings(1))
        .await
        .unwrap();
    made.reverse();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListCampaignsRequest {
            page_size: 2,
            page_token,
            ..pb::ListCampaignsRequest::default()
        };
        let request = home.by(seller.0, seller.1, request);
        let page = instance.campaigns.clone().list_campaigns(request).await;
        let page = page.unwrap().into_inner();
        listed.extend(
            page.campaigns
                .into_iter()
                .map(|campaign| campaign.campaign_id),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
    instance.open(&home, seller, &made[1]).await.unwrap();
    instance.end(&home, seller, &made[2]).await.unwrap();
    instance.open(&home, seller, &made[3]).await.unwrap();
    home.sql(&format!("UPDATE campaign SET claim_close_time = now() - interval '1 minute' WHERE campaign_id = '{}'", made[3])).await;
    for (state, expected) in [
        (CampaignState::Open, vec![&made[1]]),
        (CampaignState::Ended, vec![&made[2]]),
        (CampaignState::Expired, vec![&made[3]]),
        (CampaignState::Draft, vec![&made[0], &made[4]]),
        (CampaignState::Exhausted, vec![]),
    ] {
        let request = pb::ListCampaignsRequest {
            state: state.into(),
            ..pb::ListCampaignsRequest::default()
        };
        let request = home.by(seller.0, seller.1, request);
        let page = instance.campaigns.clone().list_campaigns(request).await;
        let page = page.unwrap().into_inner().campaigns;
        let ids: Vec<_> = page.iter().map(|campaign| &campaign.campaign_id).collect();
        assert_eq!(ids, expected, "{state:?}");
        assert!(page.iter().all(|campaign| campaign.state() == state));
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_repeated_has_one_effect() {
    let home = Home::new().await;
    let instance = home.start().await;
    let seller = mesh::id::new();
    let request = pb::CreateCampaignRequest {
        request_id: mesh::id::new().to_string(),
        settings: Some(settings(1)),
    };
    let send = async |request: pb::CreateCampaignRequest| {
        let request = home.by(seller, Role::Seller, request);
        let answer = instance.campaigns.clone().create_campaign(request).await;
        answer.map(|answer| answer.into_inner().campaign.unwrap())
    };
    let made = send(request.clone()).await.unwrap();
    assert_eq!(send(request.clone()).await.unwrap(), made);
    let other = pb::CreateCampaignRequest {
        settings: Some(settings(2)),
        ..request
    };
    assert_eq!(reason(&send(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    assert_eq!(home.number("SELECT count(*) AS n FROM campaign").await, 1);
    // The platform does not pay for a seller's campaign, whoever says so.
    let shared = pb::UpdateCampaignRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id: made.campaign_id,
        settings: made.settings.map(|settings| pb::CampaignSettings {
            terms: settings.terms.map(|terms| pb::CouponTerms {
                platform_share: 1,
                ..terms
            }),
            ..settings
        }),
    };
    let shared = home.by(mesh::id::new(), Role::Admin, shared);
    let refused = instance.campaigns.clone().update_campaign(shared).await;
    assert_eq!(
        fields(&refused.unwrap_err()),
        ["settings.terms.platform_share"]
    );
    for state in [-1, 9] {
        let request = pb::ListCampaignsRequest {
            state,
            ..pb::ListCampaignsRequest::default()
        };
        let request = home.by(seller, Role::Seller, request);
        let refused = instance.campaigns.clone().list_campaigns(request).await;
        assert_eq!(fields(&refused.unwrap_err()), ["state"]);
    }
    instance.stop().await;
}
