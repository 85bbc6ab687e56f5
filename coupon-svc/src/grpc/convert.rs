//! Between the wire and the domain. Every violation of a request is told at once.

pub(super) mod claim_batch;
pub(super) mod code;
pub(super) mod grant;
pub(super) mod issued;
pub(super) mod quote;
mod terms;

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use mesh::clock::{from_timestamp, to_timestamp};
use mesh::status::{INVALID_REQUEST, Violations};
use prost_types::Timestamp;
use proto::usher::coupon::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use crate::domain::campaign::{Campaign, Issue, Settings, Standing, UseEnd};
use crate::domain::coupon::{Counts, Coupon, State};

/// Years that JSON can show, with room for the longest life of a coupon.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9980;
/// Digits of a second in the database.
const SECOND_DIGITS: u16 = 6;

pub(super) fn id(wrong: &mut Violations, field: &str, text: &str) -> Option<Uuid> {
    let id = mesh::id::parse(text);
    if id.is_none() {
        wrong.add(field, "must be a UUID of 36 characters");
    }
    id
}

pub(super) fn one_id(field: &str, text: &str) -> Result<Uuid, Status> {
    let mut wrong = Violations::new();
    let id = id(&mut wrong, field, text);
    wrong.finish(&INVALID_REQUEST, id)
}

/// What a seller, or the platform, decides about a campaign, if all of it holds.
pub(super) fn settings(
    wrong: &mut Violations,
    settings: Option<&pb::CampaignSettings>,
    seller_id: Option<Uuid>,
) -> Option<Settings> {
    let Some(settings) = settings else {
        wrong.add("settings", "is needed");
        return None;
    };
    let terms = terms::read(wrong, settings.terms.as_ref(), seller_id);
    let claim_open = needed(wrong, "claim_open_time", settings.claim_open_time.as_ref());
    let claim_close = needed(
        wrong,
        "claim_close_time",
        settings.claim_close_time.as_ref(),
    );
    let use_open = time(wrong, "use_open_time", settings.use_open_time.as_ref());
    let use_close = time(wrong, "use_close_time", settings.use_close_time.as_ref());
    let use_end = match (use_close, settings.use_days) {
        (Some(close), 0) => Some(UseEnd::At(close)),
        (None, days) if days > 0 => Some(UseEnd::Days(days)),
        _ => {
            let remedy = "set either use_close_time or use_days: when coupons expire";
            wrong.add("settings.use_close_time", remedy);
            None
        }
    };
    let issue = issue(wrong, settings.issue);
    let settings = Settings {
        name: settings.name.clone(),
        terms: terms?,
        stock: (settings.stock != -1).then_some(settings.stock),
        per_account_max: settings.per_account_max.max(1),
        uses_per_coupon: settings.uses_per_coupon.max(1),
        claim_open: claim_open?,
        claim_close: claim_close?,
        use_open,
        use_end: use_end?,
        issue,
    };
    let broken = settings.broken();
    for (field, remedy) in &broken {
        wrong.add(format!("settings.{field}"), remedy.clone());
    }
    broken.is_empty().then_some(settings)
}

fn issue(wrong: &mut Violations, issue: i32) -> Issue {
    match pb::IssueMode::try_from(issue) {
        Ok(pb::IssueMode::Unspecified | pb::IssueMode::Claim) => Issue::Claim,
        Ok(pb::IssueMode::Code) => Issue::Code,
        Ok(pb::IssueMode::Grant) => Issue::Grant,
        Err(_) => {
            wrong.add("settings.issue", "must be a way to get coupons");
            Issue::default()
        }
    }
}

fn time(wrong: &mut Violations, field: &str, time: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    let read = time?;
    let sane = from_timestamp(read).filter(|time| YEARS.contains(&time.year()));
    if sane.is_none() {
        wrong.add(
            format!("settings.{field}"),
            "must be a time of 1970 to 9980",
        );
    }
    // As the database keeps it, so that a replay is answered the same.
    sane.map(|time| time.trunc_subsecs(SECOND_DIGITS))
}

fn needed(wrong: &mut Violations, field: &str, given: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    if given.is_none() {
        wrong.add(format!("settings.{field}"), "is needed");
    }
    time(wrong, field, given)
}

pub(super) fn campaign(campaign: &Campaign, now: DateTime<Utc>) -> pb::Campaign {
    let settings = &campaign.settings;
    let (use_close, use_days) = match settings.use_end {
        UseEnd::At(time) => (Some(to_timestamp(time)), 0),
        UseEnd::Days(days) => (None, days),
    };
    let seller_id = campaign.seller_id();
    pb::Campaign {
        campaign_id: campaign.campaign_id.to_string(),
        seller_id: seller_id.map_or_else(String::new, |seller_id| seller_id.to_string()),
        settings: Some(pb::CampaignSettings {
            name: settings.name.clone(),
            terms: Some(terms::told(&settings.terms)),
            stock: settings.stock.unwrap_or(-1),
            per_account_max: settings.per_account_max,
            uses_per_coupon: settings.uses_per_coupon,
            claim_open_time: Some(to_timestamp(settings.claim_open)),
            claim_close_time: Some(to_timestamp(settings.claim_close)),
            use_open_time: settings.use_open.map(to_timestamp),
            use_close_time: use_close,
            use_days,
            issue: match settings.issue {
                Issue::Claim => pb::IssueMode::Claim,
                Issue::Code => pb::IssueMode::Code,
                Issue::Grant => pb::IssueMode::Grant,
            }
            .into(),
        }),
        state: standing(campaign.standing(now)).into(),
        create_time: Some(to_timestamp(campaign.create_time)),
    }
}

const fn standing(standing: Standing) -> pb::CampaignState {
    match standing {
        Standing::Draft => pb::CampaignState::Draft,
        Standing::Open => pb::CampaignState::Open,
        Standing::Exhausted => pb::CampaignState::Exhausted,
        Standing::Ended => pb::CampaignState::Ended,
        Standing::Expired => pb::CampaignState::Expired,
    }
}

/// What a filter asks for; `None`: all.
pub(super) fn standing_asked(wrong: &mut Violations, state: i32) -> Option<Standing> {
    let known = pb::CampaignState::try_from(state);
    if known.is_err() {
        wrong.add("state", "must be a state of campaigns");
    }
    match known.unwrap_or_default() {
        pb::CampaignState::Unspecified => None,
        pb::CampaignState::Draft => Some(Standing::Draft),
        pb::CampaignState::Open => Some(Standing::Open),
        pb::CampaignState::Exhausted => Some(Standing::Exhausted),
        pb::CampaignState::Ended => Some(Standing::Ended),
        pb::CampaignState::Expired => Some(Standing::Expired),
    }
}

pub(super) fn stats(counts: Counts, remaining: Option<i64>) -> pb::CampaignStats {
    pb::CampaignStats {
        issued: counts.issued(),
        remaining: remaining.map(i64::unsigned_abs),
        available: counts.available,
        reserved: counts.reserved,
        used: counts.used,
        expired: counts.expired,
        revoked: counts.revoked,
    }
}

/// Coupons that are named, 1 to `most` of them.
pub(super) fn coupons(
    wrong: &mut Violations,
    given: &[String],
    most: usize,
) -> Option<BTreeSet<Uuid>> {
    if !(1..=most).contains(&given.len()) {
        wrong.add("coupon_ids", format!("must be 1..{most}"));
        return None;
    }
    let ids = given.iter().enumerate();
    let ids = ids.map(|(n, text)| id(wrong, &format!("coupon_ids[{n}]"), text));
    let ids: Vec<Option<Uuid>> = ids.collect();
    ids.into_iter().collect()
}

pub(super) const fn state(state: State) -> pb::CouponState {
    match state {
        State::Available => pb::CouponState::Available,
        State::Reserved => pb::CouponState::Reserved,
        State::Used => pb::CouponState::Used,
        State::Expired => pb::CouponState::Expired,
        State::Revoked => pb::CouponState::Revoked,
    }
}

pub(super) fn coupon(coupon: &Coupon, campaign: &Campaign, now: DateTime<Utc>) -> pb::Coupon {
    pb::Coupon {
        coupon_id: coupon.coupon_id.to_string(),
        campaign_id: coupon.campaign_id.to_string(),
        name: campaign.settings.name.clone(),
        terms: Some(terms::told(&campaign.settings.terms)),
        state: state(coupon.state(now)).into(),
        issue_time: Some(to_timestamp(coupon.issue_time)),
        valid_from_time: Some(to_timestamp(coupon.valid_from)),
        expire_time: Some(to_timestamp(coupon.expire_time)),
    }
}

/// What a filter asks for; `None`: all.
pub(super) fn state_asked(wrong: &mut Violations, state: i32) -> Option<State> {
    let known = pb::CouponState::try_from(state);
    if known.is_err() {
        wrong.add("state", "must be a state of coupons");
    }
    match known.unwrap_or_default() {
        pb::CouponState::Unspecified => None,
        pb::CouponState::Available => Some(State::Available),
        pb::CouponState::Reserved => Some(State::Reserved),
        pb::CouponState::Used => Some(State::Used),
        pb::CouponState::Expired => Some(State::Expired),
        pb::CouponState::Revoked => Some(State::Revoked),
    }
}
