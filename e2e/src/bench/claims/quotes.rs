//! What an order costs with the best of twenty coupons, one call after the other: no call waits for another.

use mesh::id;
use mesh::identity::Role;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::{DiscountKind, TargetKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

use super::callers::{Callers, Token};
use super::scene::{Scene, Way};
use crate::bench::load::closed;
use crate::bench::stage::Stage;
use crate::bench::table::Series;
use crate::bench::{BenchError, failed};

/// Coupons of an account: the most that are always looked at exactly.
const COUPONS: usize = 20;
/// Accounts that have them.
const ACCOUNTS: usize = 32;
/// The bar.
const P99_MS: f64 = 5.0;
/// Grades of places, and what one costs.
const GRADES: [(&str, i64); 4] = [
    ("VIP", 150_000),
    ("R", 110_000),
    ("S", 77_000),
    ("A", 44_000),
];

pub(super) struct Quotes {
    pub(super) series: Series,
    pub(super) told: String,
}

/// `count` orders of 2 to 8 lines by accounts that have twenty coupons of all kinds.
pub(super) async fn measure(scene: &Scene, count: usize) -> Result<Quotes, BenchError> {
    let owners: Vec<Uuid> = (0..ACCOUNTS).map(|_| id::new()).collect();
    let tokens = owners.iter().map(|id| scene.stage.token(*id, Role::User));
    let tokens: Arc<[Token]> = tokens.collect::<Result<Vec<_>, _>>()?.into();
    let at = scene.at_service.of(&tokens);
    for number in 0..COUPONS {
        let campaign_id = scene.campaign(settings(number)).await?;
        scene
            .claims(&at, ACCOUNTS, ACCOUNTS, ACCOUNTS, campaign_id)
            .await?;
    }
    scene.tables.everything_is_sent().await?;
    let exact = Arc::new(AtomicU32::new(0));
    let (owners, counted) = (Arc::new(owners), Arc::clone(&exact));
    let quote = move |_, index: usize| {
        let (at, owners, counted) = (at.clone(), Arc::clone(&owners), Arc::clone(&counted));
        async move {
            let quote = ask(&at, order(owners[index % ACCOUNTS], index)).await?;
            if quote.applied.len() + quote.unused.len() != COUPONS {
                return Err(BenchError::Contradiction("not of twenty".to_owned()));
            }
            counted.fetch_add(u32::from(quote.exact), Ordering::Relaxed);
            Ok(())
        }
    };
    let before = scene.used(Way::Claim)?;
    let round = closed(&scene.tasks, 1, count, quote).await?;
    let mut used = scene.used(Way::Claim)?;
    for (used, before) in used.iter_mut().zip(before) {
        *used -= before;
    }
    let series = Series {
        rounds: vec![round],
        used,
    };
    let p99 = series.percentile(99).as_secs_f64() * 1_000.0;
    let verdict = if p99 <= P99_MS { "met" } else { "MISSED" };
    let told = format!(
        "QuoteBest of an account with {COUPONS} coupons, orders of 2 to 8 lines, one at a time: p99 {p99:.2} ms, {P99_MS} ms: {verdict}; exact {} of \
         {count}.",
        exact.load(Ordering::Relaxed)
    );
    Ok(Quotes { series, told })
}

async fn ask(at: &Callers, order: pb::QuoteBestRequest) -> Result<pb::Quote, BenchError> {
    let answer = at.client(0).quote_best(Stage::peer(order)).await;
    let answer = answer.map_err(failed("QuoteBest"))?.into_inner();
    let unknown = || BenchError::Contradiction("no quote".to_owned());
    answer.quote.ok_or_else(unknown)
}

/// All kinds, some for one grade, some of a group, some with a minimum, one that is used alone.
fn settings(number: usize) -> pb::CampaignSettings {
    let step = i64::try_from(number).unwrap_or_default();
    let (kind, value) = match number % 4 {
        0 => (DiscountKind::OrderPercent, 5 + step),
        1 => (DiscountKind::OrderFixed, 3_000 + 500 * step),
        2 => (DiscountKind::LinePercent, 3 + step),
        _ => (DiscountKind::LineFixed, 500 + 100 * step),
    };
    let grade = (number % 4 > 1).then(|| GRADES[number / 4 % GRADES.len()].0.to_owned());
    let grouped = number.is_multiple_of(3);
    let target = if grade.is_some() {
        TargetKind::Grade
    } else {
        TargetKind::Unspecified
    };
    pb::CampaignSettings {
        terms: Some(pb::CouponTerms {
            currency: "KRW".to_owned(),
            kind: kind.into(),
            value,
            max_discount: 10_000 + 1_000 * step,
            min_order: if number % 5 == 1 {
                60_000 + 10_000 * step
            } else {
                0
            },
            target: target.into(),
            target_values: grade.into_iter().collect(),
            group: if grouped {
                "season".to_owned()
            } else {
                String::new()
            },
            group_max: if grouped { 2 } else { 0 },
            exclusive: number == COUPONS - 1,
            ..pb::CouponTerms::default()
        }),
        ..crate::bench::answers::settings()
    }
}

/// An order like no other.
fn order(account_id: Uuid, index: usize) -> pb::QuoteBestRequest {
    let seller_id = id::new().to_string();
    let line = |number: usize| {
        let (grade, price) = GRADES[(index + number) % GRADES.len()];
        let line_no = u32::try_from(number).unwrap_or_default();
        let varied = i64::try_from((index * 7 + number * 13) % 40).unwrap_or_default();
        pb::OrderLine {
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
            quantity: u32::try_from(1 + (index + number) % 4).unwrap_or(1),
            unit_price: price + 1_000 * varied,
        }
    };
    pb::QuoteBestRequest {
        account_id: account_id.to_string(),
        currency: "KRW".to_owned(),
        lines: (0..2 + index % 7).map(line).collect(),
        coupon_ids: Vec::new(),
    }
}
