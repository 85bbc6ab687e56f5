//! What does not hold is named, all of it at once, and nothing is made.

use chrono::{DateTime, TimeDelta, Utc};
use mesh::clock::to_timestamp;
use mesh::identity::Role;
use mesh::page::List;
use proto::usher::coupon::v1 as pb;

use crate::service::{Home, fields, settings};

type Case = (pb::CampaignSettings, Vec<&'static str>);

/// What is wrong with a campaign, and the fields that are named.
fn of_campaigns() -> Vec<Case> {
    let good = settings(1);
    let before = Some(to_timestamp(mesh::clock::now() - TimeDelta::days(2)));
    vec![
        (
            pb::CampaignSettings::default(),
            vec![
                "terms",
                "claim_open_time",
                "claim_close_time",
                "use_close_time",
            ],
        ),
        (
            pb::CampaignSettings {
                name: " \u{7}".to_owned(),
                stock: 0,
                per_account_max: 101,
                uses_per_coupon: 101,
                issue: 4,
                claim_close_time: before,
                use_days: 3_651,
                ..good.clone()
            },
            vec![
                "name",
                "stock",
                "per_account_max",
                "uses_per_coupon",
                "issue",
                "claim_close_time",
                "use_days",
            ],
        ),
        (
            pb::CampaignSettings {
                use_close_time: before,
                ..good.clone()
            },
            vec!["use_close_time"],
        ),
        (
            pb::CampaignSettings {
                use_close_time: before,
                use_days: 0,
                ..good.clone()
            },
            vec!["use_close_time"],
        ),
        (
            pb::CampaignSettings {
                claim_close_time: Some(prost_types::Timestamp {
                    seconds: 400_000_000_000,
                    nanos: 0,
                }),
                ..good
            },
            vec!["claim_close_time"],
        ),
    ]
}

fn with(terms: pb::CouponTerms) -> pb::CampaignSettings {
    pb::CampaignSettings {
        terms: Some(terms),
        ..settings(1)
    }
}

/// The same with its terms.
fn of_terms() -> Vec<Case> {
    let terms = settings(1).terms.unwrap();
    vec![
        (
            with(pb::CouponTerms {
                currency: "won".to_owned(),
                value: 101,
                max_discount: -1,
                min_order: 5,
                max_order: 4,
                platform_share: 1,
                weekdays: vec![8],
                group_max: 2,
                ..terms.clone()
            }),
            vec![
                "terms.currency",
                "terms.value",
                "terms.max_discount",
                "terms.max_order",
                "terms.platform_share",
                "terms.weekdays",
                "terms.group",
            ],
        ),
        (
            with(pb::CouponTerms {
                kind: 0,
                target: pb::TargetKind::Unit.into(),
                target_values: vec!["x".to_owned(), format!("{}/7", mesh::id::new())],
                group: "g".to_owned(),
                ..terms.clone()
            }),
            vec!["terms.kind", "terms.target_values[0]", "terms.group_max"],
        ),
        (
            with(pb::CouponTerms {
                target: pb::TargetKind::Category.into(),
                target_values: vec!["opera".to_owned(), "\0".to_owned()],
                group: "\0".to_owned(),
                group_max: 1,
                ..terms.clone()
            }),
            vec!["terms.target_values[1]", "terms.group"],
        ),
        (
            with(pb::CouponTerms {
                target: pb::TargetKind::Show.into(),
                target_values: vec!["x".to_owned()],
                ..terms.clone()
            }),
            vec!["terms.target_values[0]"],
        ),
        (
            with(pb::CouponTerms {
                target: pb::TargetKind::Grade.into(),
                ..terms
            }),
            vec!["terms.target_values"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_of_a_campaign_is_told_at_once() {
    let home = Home::new().await;
    let instance = home.start().await;
    let seller = (mesh::id::new(), Role::Seller);
    for (settings, expected) in of_campaigns().into_iter().chain(of_terms()) {
        let refused = instance
            .create(&home, seller, settings.clone())
            .await
            .unwrap_err();
        let expected: Vec<String> = expected
            .into_iter()
            .map(|field| format!("settings.{field}"))
            .collect();
        let mut found = fields(&refused);
        found.sort();
        let mut wanted = expected.clone();
        wanted.sort();
        assert_eq!(found, wanted, "{settings:?}");
    }
    assert_eq!(home.number("SELECT count(*) AS n FROM campaign").await, 0);
    let admin = (mesh::id::new(), Role::Admin);
    let shared = with(pb::CouponTerms {
        platform_share: 5_000,
        ..settings(1).terms.unwrap()
    });
    instance.create(&home, admin, shared).await.unwrap();
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_that_somebody_made_up_is_refused() {
    let home = Home::new().await;
    let instance = home.start().await;
    let list = List::new("ListMyCoupons", &pb::ListMyCouponsRequest::default());
    let ask = async |time: DateTime<Utc>| {
        let request = pb::ListMyCouponsRequest {
            page_token: list.token(Some(&(time, mesh::id::new()))),
            ..pb::ListMyCouponsRequest::default()
        };
        let request = home.by(mesh::id::new(), Role::User, request);
        instance.coupons.clone().list_my_coupons(request).await
    };
    for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert_eq!(fields(&ask(time).await.unwrap_err()), ["page_token"]);
    }
    ask(mesh::clock::now()).await.unwrap();
    instance.stop().await;
}
