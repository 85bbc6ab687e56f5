//! Codes: they are streamed, redeemed, revoked, and tell nothing to who guesses.

mod guesses;
mod races;
mod timing;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use mesh::clock::to_timestamp;
use mesh::identity::Role;
use proto::usher::coupon::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use crate::service::{Home, Instance, detail, fields, gate_keys, reason, redis, settings};

/// Ten percent off, for codes.
pub(crate) fn with_codes(stock: i64) -> pb::CampaignSettings {
    pb::CampaignSettings {
        issue: pb::IssueMode::Code.into(),
        ..settings(stock)
    }
}

pub(crate) fn wanted(campaign_id: Uuid, count: u32) -> pb::GenerateCodesRequest {
    pb::GenerateCodesRequest {
        request_id: mesh::id::new().to_string(),
        campaign_id: campaign_id.to_string(),
        count,
        ..pb::GenerateCodesRequest::default()
    }
}

/// The codes of a file.
fn read(csv: &[u8]) -> Vec<String> {
    let csv = std::str::from_utf8(csv).unwrap();
    let mut lines = csv.split_terminator("\r\n");
    assert_eq!(lines.next(), Some("code"));
    lines.map(str::to_owned).collect()
}

pub(crate) async fn generate(
    instance: &Instance,
    home: &Home,
    (account_id, role): (Uuid, Role),
    request: &pb::GenerateCodesRequest,
) -> Result<Vec<String>, Status> {
    let request = home.by(account_id, role, request.clone());
    let answer = instance.codes.clone().generate_codes(request).await?;
    let (mut pieces, mut csv) = (answer.into_inner(), Vec::new());
    while let Some(piece) = pieces.message().await? {
        let piece = piece.file.unwrap();
        assert_eq!(piece.content_type, "text/csv; charset=utf-8");
        csv.extend(piece.data);
    }
    Ok(read(&csv))
}

pub(crate) async fn redeem(
    instance: &Instance,
    home: &Home,
    account_id: Uuid,
    request_id: Uuid,
    code: &str,
) -> Result<pb::Coupon, Status> {
    let request = pb::RedeemCodeRequest {
        request_id: request_id.to_string(),
        code: code.to_owned(),
    };
    let request = home.by(account_id, Role::User, request);
    let answer = instance.codes.clone().redeem_code(request).await?;
    Ok(answer.into_inner().coupon.unwrap())
}

/// Somebody new tries a code.
pub(crate) async fn try_code(
    instance: &Instance,
    home: &Home,
    code: &str,
) -> Result<pb::Coupon, Status> {
    redeem(instance, home, mesh::id::new(), mesh::id::new(), code).await
}

async fn batches(instance: &Instance, home: &Home, campaign_id: Uuid) -> Vec<pb::CodeBatch> {
    let request = pb::ListCodeBatchesRequest {
        campaign_id: campaign_id.to_string(),
        ..pb::ListCodeBatchesRequest::default()
    };
    let request = home.by(mesh::id::new(), Role::Admin, request);
    let answer = instance.codes.clone().list_code_batches(request).await;
    answer.unwrap().into_inner().batches
}

async fn revoke(
    instance: &Instance,
    home: &Home,
    (account_id, role): (Uuid, Role),
    batch_id: &str,
) -> Result<pb::CodeBatch, Status> {
    let request = pb::RevokeCodeBatchRequest {
        request_id: mesh::id::new().to_string(),
        batch_id: batch_id.to_owned(),
    };
    let request = home.by(account_id, role, request);
    let answer = instance.codes.clone().revoke_code_batch(request).await?;
    Ok(answer.into_inner().batch.unwrap())
}

fn admin() -> (Uuid, Role) {
    (mesh::id::new(), Role::Admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_streams_the_same_codes_and_each_gives_one_coupon() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.listen().await;
    let campaign_id = instance.campaign(&home, with_codes(5_000)).await;
    let (seller, request) = (admin(), wanted(campaign_id, 2_500));
    let codes = generate(&instance, &home, seller, &request).await.unwrap();
    let again = generate(&instance, &home, seller, &request).await.unwrap();
    assert_eq!(codes, again);
    // Also when the request is not remembered any more.
    home.sql("DELETE FROM idempotency").await;
    let other = wanted(campaign_id, 2_499);
    let other = pb::GenerateCodesRequest {
        request_id: request.request_id.clone(),
        ..other
    };
    let reused = generate(&instance, &home, seller, &other).await;
    assert_eq!(reason(&reused.unwrap_err()), "REQUEST_ID_REUSED");
    let later = generate(&instance, &home, seller, &request).await.unwrap();
    assert_eq!(codes, later);
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 2_500);
    assert_eq!(home.number("SELECT count(*) AS n FROM code").await, 2_500);
    let (person, request_id) = (mesh::id::new(), mesh::id::new());
    let typed = codes[2_400]
        .to_lowercase()
        .replace('-', " ")
        .replace('1', "l");
    let coupon = redeem(&instance, &home, person, request_id, &typed)
        .await
        .unwrap();
    let same = redeem(&instance, &home, person, request_id, &codes[2_400])
        .await
        .unwrap();
    assert_eq!(
        (&coupon, coupon.campaign_id.as_str()),
        (&same, &*campaign_id.to_string())
    );
    let reused = redeem(&instance, &home, person, request_id, &codes[0]).await;
    assert_eq!(reason(&reused.unwrap_err()), "REQUEST_ID_REUSED");
    let own = redeem(&instance, &home, person, mesh::id::new(), &codes[2_400]).await;
    let own = own.unwrap_err();
    assert_eq!(
        (reason(&own), detail(&own, "coupon_ids")),
        ("ALREADY_CLAIMED".to_owned(), coupon.coupon_id.clone())
    );
    let other = try_code(&instance, &home, &codes[2_400]).await;
    assert_eq!(reason(&other.unwrap_err()), "CODE_NOT_VALID");
    try_code(&instance, &home, &codes[7]).await.unwrap();
    let listed = batches(&instance, &home, campaign_id).await;
    assert_eq!(listed.len(), 1);
    let batch = &listed[0];
    assert_eq!(
        (batch.count, batch.uses, batch.streamed, batch.redeemed),
        (2_500, 1, 2_500, 2)
    );
    assert_eq!(
        instance.stats(&home, campaign_id).await.remaining,
        Some(4_998)
    );
    assert_eq!(home.told("CouponClaimed").await, (2, 2));
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_broke_off_is_made_whole_by_repeating_it() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, with_codes(-1)).await;
    let (seller, request) = (admin(), wanted(campaign_id, 20_000));
    let asked = home.by(seller.0, seller.1, request.clone());
    let mut pieces = instance
        .codes
        .clone()
        .generate_codes(asked)
        .await
        .unwrap()
        .into_inner();
    let first = read(&pieces.message().await.unwrap().unwrap().file.unwrap().data);
    drop(pieces);
    assert_eq!(first.len(), 1_000);
    // What was told works already.
    try_code(&instance, &home, &first[999]).await.unwrap();
    let streamed = batches(&instance, &home, campaign_id).await[0].streamed;
    assert!(
        (1_000..20_000).contains(&streamed),
        "nobody reads the rest: {streamed}"
    );
    instance.stop().await;
    let instance = home.start().await;
    let codes = generate(&instance, &home, seller, &request).await.unwrap();
    assert_eq!((&codes[..1_000], codes.len()), (&first[..], 20_000));
    try_code(&instance, &home, &codes[19_999]).await.unwrap();
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_with_codes_is_not_claimed_and_one_to_claim_has_no_codes() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, with_codes(5)).await;
    let claimed = instance.claim(&home, campaign_id, mesh::id::new(), mesh::id::new());
    let refused = claimed.await.unwrap_err();
    assert_eq!(
        (reason(&refused), detail(&refused, "issue")),
        ("ISSUED_OTHERWISE".to_owned(), "CODE".to_owned())
    );
    assert!(gate_keys(&redis(), campaign_id).await.is_empty());
    let open = instance.campaign(&home, settings(5)).await;
    let refused = generate(&instance, &home, admin(), &wanted(open, 1)).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (reason(&refused), detail(&refused, "issue")),
        ("ISSUED_OTHERWISE".to_owned(), "CLAIM".to_owned())
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_is_refused() {
    let home = Home::new().await;
    let instance = home.start().await;
    let (seller, stranger) = (
        (mesh::id::new(), Role::Seller),
        (mesh::id::new(), Role::Seller),
    );
    let campaign = instance.create(&home, seller, with_codes(5)).await.unwrap();
    let campaign_id: Uuid = campaign.campaign_id.parse().unwrap();
    let refused = generate(&instance, &home, stranger, &wanted(campaign_id, 1)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CAMPAIGN_NOT_FOUND");
    let wrong = pb::GenerateCodesRequest {
        request_id: "x".to_owned(),
        count: 2,
        uses: 10_000_001,
        text: "2 few!".to_owned(),
        ..pb::GenerateCodesRequest::default()
    };
    let refused = generate(&instance, &home, seller, &wrong)
        .await
        .unwrap_err();
    let mut named = fields(&refused);
    named.sort();
    assert_eq!(
        named,
        ["campaign_id", "count", "request_id", "text", "uses"]
    );
    let beyond = pb::GenerateCodesRequest {
        uses: 6,
        ..wanted(campaign_id, 1)
    };
    let refused = generate(&instance, &home, seller, &beyond)
        .await
        .unwrap_err();
    assert_eq!(fields(&refused), ["uses"]);
    let first = wanted(campaign_id, 1);
    generate(&instance, &home, seller, &first).await.unwrap();
    let reused = pb::GenerateCodesRequest { count: 2, ..first };
    let refused = generate(&instance, &home, seller, &reused).await;
    assert_eq!(reason(&refused.unwrap_err()), "REQUEST_ID_REUSED");
    instance
        .end(&home, seller, &campaign.campaign_id)
        .await
        .unwrap();
    let refused = generate(&instance, &home, seller, &wanted(campaign_id, 1)).await;
    assert_eq!(reason(&refused.unwrap_err()), "CLAIM_WINDOW_OVER");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_one_code_and_who_looks_for_those_of_others_is_stopped() {
    let home = Home::new().await;
    let instance = home.start().await;
    let (seller, stranger) = (
        (mesh::id::new(), Role::Seller),
        (mesh::id::new(), Role::Seller),
    );
    let campaign = instance.create(&home, seller, with_codes(5)).await.unwrap();
    let campaign_id: Uuid = campaign.campaign_id.parse().unwrap();
    let spring = pb::GenerateCodesRequest {
        text: "spring-2026".to_owned(),
        ..wanted(campaign_id, 1)
    };
    let codes = generate(&instance, &home, seller, &spring).await.unwrap();
    assert_eq!(codes, ["SPR1-NG20-26"]);
    assert_eq!(
        generate(&instance, &home, seller, &spring).await.unwrap(),
        codes
    );
    let other = instance
        .create(&home, stranger, with_codes(5))
        .await
        .unwrap();
    let taken = || pb::GenerateCodesRequest {
        text: "SPRING 2026".to_owned(),
        ..wanted(other.campaign_id.parse().unwrap(), 1)
    };
    for _ in 0..10 {
        let refused = generate(&instance, &home, stranger, &taken()).await;
        assert_eq!(reason(&refused.unwrap_err()), "CODE_TEXT_TAKEN");
    }
    let refused = generate(&instance, &home, stranger, &taken()).await;
    assert_eq!(reason(&refused.unwrap_err()), "RATE_LIMITED");
    assert_eq!(
        batches(&instance, &home, other.campaign_id.parse().unwrap())
            .await
            .len(),
        0
    );
    instance.stop().await;
}

/// Codes that give nothing, each for another cause.
pub(crate) async fn worthless(instance: &Instance, home: &Home) -> Vec<(&'static str, String)> {
    let one = async |settings: pb::CampaignSettings, stop: bool| {
        let campaign_id = instance.campaign(home, settings).await;
        let codes = generate(instance, home, admin(), &wanted(campaign_id, 2)).await;
        if stop {
            let id = campaign_id.to_string();
            instance.end(home, admin(), &id).await.unwrap();
        }
        codes.unwrap()
    };
    let now = mesh::clock::now();
    let used = one(with_codes(5), false).await;
    try_code(instance, home, &used[0]).await.unwrap();
    let empty = one(with_codes(1), false).await;
    try_code(instance, home, &empty[0]).await.unwrap();
    let later = pb::CampaignSettings {
        claim_open_time: Some(to_timestamp(now + TimeDelta::minutes(50))),
        ..with_codes(5)
    };
    let later = one(later, false).await;
    let ended = one(with_codes(5), true).await;
    let draft = instance.create(home, admin(), with_codes(5)).await.unwrap();
    let draft = wanted(draft.campaign_id.parse().unwrap(), 1);
    let draft = generate(instance, home, admin(), &draft).await.unwrap();
    let revoked = instance.campaign(home, with_codes(5)).await;
    let gone = generate(instance, home, admin(), &wanted(revoked, 1))
        .await
        .unwrap();
    let batch = batches(instance, home, revoked).await.remove(0);
    revoke(instance, home, admin(), &batch.batch_id)
        .await
        .unwrap();
    vec![
        ("unknown", "0123-4567-89AB-CDEF".to_owned()),
        ("no code looks so", "UUUU-UUUU-UUUU-UUUU".to_owned()),
        ("used", used[0].clone()),
        ("nothing left", empty[1].clone()),
        ("not yet", later[0].clone()),
        ("over", ended[0].clone()),
        ("draft", draft[0].clone()),
        ("revoked", gone[0].clone()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_code_one_thing_is_said() {
    let home = Home::new().await;
    let instance = home.start().await;
    let mut answers = BTreeSet::new();
    let coupons = home.number("SELECT count(*) AS n FROM coupon").await;
    assert_eq!(coupons, 0);
    for (cause, code) in worthless(&instance, &home).await {
        let refused = try_code(&instance, &home, &code).await.expect_err(cause);
        assert_eq!(reason(&refused), "CODE_NOT_VALID", "{cause}");
        answers.insert(format!(
            "{:?} {} {:?}",
            refused.code(),
            refused.message(),
            refused.details()
        ));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let malformed = try_code(&instance, &home, "short").await.unwrap_err();
    assert_eq!(fields(&malformed), ["code"]);
    // Nothing is left of a use that gave no coupon.
    let left = "SELECT count(*) AS n FROM code WHERE uses > 0";
    assert_eq!(home.number(left).await, 2);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_batch_stops_and_its_coupons_stay() {
    let home = Home::new().await;
    let instance = home.start().await;
    let seller = (mesh::id::new(), Role::Seller);
    let campaign = instance.create(&home, seller, with_codes(5)).await.unwrap();
    instance
        .open(&home, seller, &campaign.campaign_id)
        .await
        .unwrap();
    let campaign_id: Uuid = campaign.campaign_id.parse().unwrap();
    let codes = generate(&instance, &home, seller, &wanted(campaign_id, 2))
        .await
        .unwrap();
    let person = mesh::id::new();
    let coupon = redeem(&instance, &home, person, mesh::id::new(), &codes[0])
        .await
        .unwrap();
    let batch = batches(&instance, &home, campaign_id).await.remove(0);
    let stranger = (mesh::id::new(), Role::Seller);
    let refused = revoke(&instance, &home, stranger, &batch.batch_id).await;
    assert_eq!(reason(&refused.unwrap_err()), "CODE_BATCH_NOT_FOUND");
    let revoked = revoke(&instance, &home, seller, &batch.batch_id)
        .await
        .unwrap();
    assert_eq!(revoked.redeemed, 1);
    let again = revoke(&instance, &home, seller, &batch.batch_id)
        .await
        .unwrap();
    assert_eq!(again.revoke_time, revoked.revoke_time);
    let refused = try_code(&instance, &home, &codes[1]).await;
    assert_eq!(reason(&refused.unwrap_err()), "CODE_NOT_VALID");
    let request = pb::GetCouponRequest {
        coupon_id: coupon.coupon_id,
    };
    let request = home.by(person, Role::User, request);
    let kept = instance.coupons.clone().get_coupon(request).await.unwrap();
    let state = kept.into_inner().coupon.unwrap().state();
    assert_eq!(state, pb::CouponState::Available);
    instance.stop().await;
}
