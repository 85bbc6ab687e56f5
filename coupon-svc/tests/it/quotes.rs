//! What an order costs with coupons: the example of docs/COUPONS.md, and what is refused.

use chrono::TimeDelta;
use mesh::clock::to_timestamp;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::{DiscountKind, TargetKind, WhyNotUsed};
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::service::{Home, Instance, detail, fields, reason, settings};

fn won(kind: DiscountKind, value: i64) -> pb::CouponTerms {
    pb::CouponTerms {
        currency: "KRW".to_owned(),
        kind: kind.into(),
        value,
        ..pb::CouponTerms::default()
    }
}

/// A coupon on these terms, which `account_id` has claimed.
async fn coupon(
    instance: &Instance,
    home: &Home,
    account_id: Uuid,
    terms: pb::CouponTerms,
) -> pb::Coupon {
    let settings = pb::CampaignSettings {
        terms: Some(terms),
        ..settings(5)
    };
    let campaign_id = instance.campaign(home, settings).await;
    let claimed = instance.claim(home, campaign_id, account_id, mesh::id::new());
    claimed.await.unwrap()
}

/// Two places of R for 50,000 each and one of S for 30,000.
fn order(account_id: Uuid, coupon_ids: &[&str]) -> pb::QuoteBestRequest {
    let seller_id = mesh::id::new().to_string();
    let line = |line_no, grade: &str, quantity, unit_price| pb::OrderLine {
        line_no,
        seller_id: seller_id.clone(),
        show_id: seller_id.clone(),
        performance_id: seller_id.clone(),
        category: "opera".to_owned(),
        grade: grade.to_owned(),
        pool_id: seller_id.clone(),
        ord: line_no,
        property_id: String::new(),
        weekday: pb::Weekday::Friday.into(),
        quantity,
        unit_price,
    };
    pb::QuoteBestRequest {
        account_id: account_id.to_string(),
        currency: "KRW".to_owned(),
        lines: vec![line(0, "R", 2, 50_000), line(1, "S", 1, 30_000)],
        coupon_ids: coupon_ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

async fn quote(
    instance: &Instance,
    home: &Home,
    order: pb::QuoteBestRequest,
) -> Result<pb::Quote, Status> {
    let quoted = instance
        .coupons
        .clone()
        .quote_best(home.peer(order))
        .await?;
    Ok(quoted.into_inner().quote.unwrap())
}

/// (line, amount, of that the platform).
fn parts(applied: &pb::AppliedCoupon) -> Vec<(u32, i64, i64)> {
    let parts = applied.allocations.iter();
    parts
        .map(|part| (part.line_no, part.amount, part.platform_pays))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_documentation_holds() {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let season = |terms| pb::CouponTerms {
        group: "season".to_owned(),
        group_max: 1,
        ..terms
    };
    let mut ids = Vec::new();
    for terms in [
        pb::CouponTerms {
            target: TargetKind::Grade.into(),
            target_values: vec!["R".to_owned()],
            ..won(DiscountKind::LinePercent, 10)
        },
        pb::CouponTerms {
            min_order: 125_000,
            ..won(DiscountKind::OrderFixed, 20_000)
        },
        season(pb::CouponTerms {
            max_discount: 15_000,
            platform_share: 5_000,
            ..won(DiscountKind::OrderPercent, 15)
        }),
        season(won(DiscountKind::OrderPercent, 12)),
        pb::CouponTerms {
            max_discount: 24_000,
            exclusive: true,
            ..won(DiscountKind::OrderPercent, 25)
        },
        // B of an order that does not reach it from the start.
        pb::CouponTerms {
            min_order: 131_000,
            ..won(DiscountKind::OrderFixed, 20_000)
        },
    ] {
        ids.push(coupon(&instance, &home, account, terms).await.coupon_id);
    }
    let quote = quote(&instance, &home, order(account, &[])).await.unwrap();
    let sums = (quote.subtotal, quote.discount, quote.total, quote.exact);
    assert_eq!(sums, (130_000, 25_000, 105_000, true));
    let applied: Vec<_> = quote
        .applied
        .iter()
        .map(|applied| (&applied.coupon_id, applied.discount, parts(applied)))
        .collect();
    assert_eq!(
        applied,
        [
            (&ids[0], 10_000, vec![(0, 10_000, 0)]),
            (&ids[2], 15_000, vec![(0, 11_250, 5_625), (1, 3_750, 1_875)]),
        ]
    );
    let why = |id: &String| {
        let unused = quote.unused.iter().find(|unused| unused.coupon_id == *id);
        let unused = unused.unwrap();
        (unused.reason(), unused.amount, unused.coupon_ids.clone())
    };
    assert_eq!(why(&ids[1]), (WhyNotUsed::MinimumNotMet, 20_000, vec![]));
    assert_eq!(why(&ids[5]), (WhyNotUsed::MinimumNotMet, 26_000, vec![]));
    assert_eq!(
        why(&ids[3]),
        (WhyNotUsed::GroupFull, 0, vec![ids[2].clone()])
    );
    let (reason, _, mut others) = why(&ids[4]);
    others.sort();
    let mut both = vec![ids[0].clone(), ids[2].clone()];
    both.sort();
    assert_eq!((reason, others), (WhyNotUsed::ExclusiveWith, both));
    instance.stop().await;
}

/// Gives the owner of a coupon so many more, each of a campaign of its own. Campaigns and coupons are as those of the first one, but for what
/// the JSON says, and expire before it.
async fn more(home: &Home, coupon_id: &str, count: usize, [of_campaign, of_coupon]: [&str; 2]) {
    home.sql(&format!(
        "WITH made AS MATERIALIZED (SELECT gen_random_uuid() AS id FROM generate_series(1, {count})), campaigns AS ( \
             INSERT INTO campaign SELECT (jsonb_populate_record(k, jsonb_build_object('campaign_id', id) || '{of_campaign}')).* \
             FROM made, campaign k WHERE k.campaign_id = (SELECT campaign_id FROM coupon WHERE coupon_id = '{coupon_id}')) \
         INSERT INTO coupon SELECT (jsonb_populate_record(c, jsonb_build_object('coupon_id', id, 'campaign_id', id, \
             'expire_time', expire_time - interval '1 hour') || '{of_coupon}')).* \
         FROM made, coupon c WHERE coupon_id = '{coupon_id}'"
    ))
    .await;
}

fn is_applied(quote: &pb::Quote, coupon_id: &str) -> bool {
    quote.applied.iter().any(|one| one.coupon_id == coupon_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn coupons_that_cannot_be_used_do_not_push_out_one_that_can_be() {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let fixed = won(DiscountKind::OrderFixed, 1_000);
    let euro = pb::CouponTerms {
        currency: "EUR".to_owned(),
        ..fixed.clone()
    };
    let euro = coupon(&instance, &home, account, euro).await.coupon_id;
    let twin = coupon(&instance, &home, account, fixed.clone())
        .await
        .coupon_id;
    let last = coupon(&instance, &home, account, fixed).await.coupon_id;
    let stranger = format!(r#"{{"seller_id": "{}"}}"#, mesh::id::new());
    for (of, changed) in [
        (&last, [stranger.as_str(), "{}"]),
        (&last, ["{}", r#"{"state": "RESERVED"}"#]),
        (
            &last,
            ["{}", r#"{"valid_from_time": "2999-01-01T00:00:00Z"}"#],
        ),
        (&euro, ["{}", "{}"]),
    ] {
        more(&home, of, 120, changed).await;
    }
    home.sql(&format!(
        "INSERT INTO coupon SELECT (jsonb_populate_record(c, jsonb_build_object('coupon_id', gen_random_uuid(), 'n', n.n, \
             'expire_time', expire_time - interval '1 hour'))).* FROM coupon c, generate_series(2, 100) AS n(n) WHERE coupon_id = '{twin}'"
    ))
    .await;
    let quoted = quote(&instance, &home, order(account, &[])).await.unwrap();
    assert_eq!(
        (quoted.discount, quoted.applied.len(), quoted.unused.len()),
        (2_000, 2, 98)
    );
    assert!(quoted.exact && is_applied(&quoted, &last), "{quoted:?}");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_makes_the_answer_inexact() {
    let home = Home::new().await;
    let instance = home.start().await;
    // Coupons that are used alone do not make the search give up.
    let alone = pb::CouponTerms {
        exclusive: true,
        ..won(DiscountKind::OrderFixed, 1_000)
    };
    for (count, exact) in [(99, true), (100, false)] {
        let account = mesh::id::new();
        let first = coupon(&instance, &home, account, alone.clone()).await;
        more(&home, &first.coupon_id, count, ["{}", "{}"]).await;
        let quoted = quote(&instance, &home, order(account, &[])).await.unwrap();
        let told = quoted.applied.len() + quoted.unused.len();
        assert_eq!((quoted.discount, told, quoted.exact), (1_000, 100, exact));
    }
    // A seller that gives many away does not push out the one of the platform.
    let account = mesh::id::new();
    let platform = coupon(
        &instance,
        &home,
        account,
        won(DiscountKind::OrderFixed, 999),
    )
    .await;
    let asked = order(account, &[]);
    let seller = format!(r#"{{"seller_id": "{}"}}"#, asked.lines[0].seller_id);
    more(&home, &platform.coupon_id, 150, [&seller, "{}"]).await;
    let quoted = quote(&instance, &home, asked).await.unwrap();
    assert_eq!((quoted.applied.len(), quoted.exact), (100, false));
    assert!(is_applied(&quoted, &platform.coupon_id));
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coupons_that_were_chosen_are_used_all_or_none() {
    let home = Home::new().await;
    let instance = home.start().await;
    let (account, other) = (mesh::id::new(), mesh::id::new());
    let fixed = won(DiscountKind::OrderFixed, 1_000);
    let good = coupon(&instance, &home, account, fixed.clone())
        .await
        .coupon_id;
    let foreign = coupon(&instance, &home, other, fixed.clone())
        .await
        .coupon_id;
    let used = coupon(&instance, &home, account, fixed.clone())
        .await
        .coupon_id;
    let old = coupon(&instance, &home, account, fixed).await.coupon_id;
    let dear = pb::CouponTerms {
        min_order: 130_001,
        ..won(DiscountKind::OrderPercent, 50)
    };
    let dear = coupon(&instance, &home, account, dear).await.coupon_id;
    home.sql(&format!(
        "UPDATE coupon SET state = 'USED', uses = 1 WHERE coupon_id = '{used}'; \
         UPDATE coupon SET expire_time = now() WHERE coupon_id = '{old}'"
    ))
    .await;
    let chosen = quote(&instance, &home, order(account, &[&good]))
        .await
        .unwrap();
    assert_eq!((chosen.discount, chosen.applied.len()), (1_000, 1));
    let wanted: [&str; 5] = [&good, &foreign, &used, &old, &dear];
    let refused = quote(&instance, &home, order(account, &wanted))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "COUPONS_NOT_USABLE");
    let details = refused.get_error_details();
    let violations = &details.precondition_failure().unwrap().violations;
    let mut named: Vec<(&str, &str)> = violations
        .iter()
        .map(|violation| (violation.subject.as_str(), violation.r#type.as_str()))
        .collect();
    named.sort_unstable();
    let mut expected = [
        (foreign.as_str(), "UNKNOWN"),
        (&used, "USED"),
        (&old, "EXPIRED"),
        (&dear, "MINIMUM_NOT_MET"),
    ];
    expected.sort_unstable();
    assert_eq!(named, expected);
    let missing = violations
        .iter()
        .find(|violation| violation.subject == dear);
    assert!(
        missing.unwrap().description.contains("costs 1 minor"),
        "{violations:?}"
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_a_hundred_coupons_fits_in_the_headers_of_an_answer() {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let terms = pb::CouponTerms {
        group: "석".repeat(200),
        group_max: 1,
        ..won(DiscountKind::OrderFixed, 1_000)
    };
    let first = coupon(&instance, &home, account, terms).await.coupon_id;
    more(&home, &first, 99, ["{}", "{}"]).await;
    let best = quote(&instance, &home, order(account, &[])).await.unwrap();
    assert_eq!((best.applied.len(), best.unused.len()), (1, 99));
    let all = best.unused.iter().map(|unused| unused.coupon_id.as_str());
    let all: Vec<&str> = all.chain([best.applied[0].coupon_id.as_str()]).collect();
    let refused = quote(&instance, &home, order(account, &all)).await;
    let refused = refused.unwrap_err();
    assert_eq!(reason(&refused), "COUPONS_NOT_USABLE");
    let details = refused.get_error_details();
    let listed = &details.precondition_failure().unwrap().violations;
    assert!(listed.iter().all(|one| one.r#type == "GROUP_FULL"));
    let unlisted: usize = detail(&refused, "unlisted").parse().unwrap();
    assert!(listed.len() >= 15, "{}", listed.len());
    assert_eq!(listed.len() + unlisted, 99);
    let told = format!("99 of the coupons cannot be used (and {unlisted} more than are listed)");
    assert_eq!(refused.message(), told);
    assert!(refused.details().len() * 4 / 3 < 7_000); // Base64, in 8 KiB of headers
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_does_not_hold_is_refused_field_by_field() {
    let home = Home::new().await;
    let instance = home.start().await;
    let mut bad = order(mesh::id::new(), &["x"]);
    bad.currency = "won".to_owned();
    bad.lines[0].quantity = 0;
    bad.lines[0].weekday = 8;
    bad.lines[1].unit_price = -1;
    bad.lines[1].line_no = 0;
    bad.lines[1].property_id = "x".to_owned();
    let mut named = fields(&quote(&instance, &home, bad).await.unwrap_err());
    named.sort();
    let expected = [
        "coupon_ids[0]",
        "currency",
        "lines[0].quantity",
        "lines[0].weekday",
        "lines[1].line_no",
        "lines[1].property_id",
        "lines[1].unit_price",
    ];
    assert_eq!(named, expected);
    let empty = pb::QuoteBestRequest {
        lines: Vec::new(),
        ..order(mesh::id::new(), &[])
    };
    assert_eq!(
        fields(&quote(&instance, &home, empty).await.unwrap_err()),
        ["lines"]
    );
    // A coupon of the day after tomorrow is named with its time.
    let account = mesh::id::new();
    let later = pb::CampaignSettings {
        use_open_time: Some(to_timestamp(mesh::clock::now() + TimeDelta::days(2))),
        use_close_time: Some(to_timestamp(mesh::clock::now() + TimeDelta::days(9))),
        use_days: 0,
        ..settings(1)
    };
    let campaign_id = instance.campaign(&home, later).await;
    let claimed = instance.claim(&home, campaign_id, account, mesh::id::new());
    let coupon = claimed.await.unwrap();
    let quoted = quote(&instance, &home, order(account, &[])).await.unwrap();
    assert_eq!(
        (
            quoted.discount,
            quoted.unused[0].reason(),
            quoted.unused[0].time
        ),
        (0, WhyNotUsed::NotYetValid, coupon.valid_from_time)
    );
    instance.stop().await;
}
