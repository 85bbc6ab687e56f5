//! Orders and quotes, on the wire.

use std::collections::BTreeSet;

use mesh::clock::to_timestamp;
use mesh::money::Currency;
use mesh::status::{INVALID_REQUEST, Violations};
use proto::usher::coupon::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use super::id;
use crate::domain::best::{Applied, Quote, Unused, WhyNot};
use crate::domain::order::{CANDIDATES_MAX, LINES_MAX, Line, Order, PLACES_MAX, PRICE_MAX};

/// Coupons that a description names.
const NAMED_MAX: usize = 2;
/// Characters of the name of a group in a description: enough to know it.
const GROUP_SHOWN: usize = 40;

/// Whose order it is, the order, and the coupons that were chosen.
pub(in crate::grpc) fn asked(
    request: &pb::QuoteBestRequest,
) -> Result<(Uuid, Order, BTreeSet<Uuid>), Status> {
    let mut wrong = Violations::new();
    let account_id = id(&mut wrong, "account_id", &request.account_id);
    let currency: Option<Currency> = request.currency.parse().ok();
    if currency.is_none() {
        wrong.add("currency", "must be a code of ISO 4217, such as KRW");
    }
    if !(1..=LINES_MAX).contains(&request.lines.len()) {
        wrong.add("lines", format!("must be 1..{LINES_MAX} lines"));
    }
    if request.coupon_ids.len() > CANDIDATES_MAX {
        wrong.add("coupon_ids", format!("must be at most {CANDIDATES_MAX}"));
    }
    let numbered = request.lines.iter().enumerate().take(LINES_MAX);
    let lines: Vec<Option<Line>> = numbered
        .map(|(number, asked)| line(&mut wrong, number, asked))
        .collect();
    let mut seen = BTreeSet::new();
    for (number, line) in request.lines.iter().enumerate() {
        if !seen.insert(line.line_no) {
            wrong.add(format!("lines[{number}].line_no"), "must not repeat");
        }
    }
    let numbered = request.coupon_ids.iter().enumerate().take(CANDIDATES_MAX);
    let chosen: Vec<Option<Uuid>> = numbered
        .map(|(number, text)| id(&mut wrong, &format!("coupon_ids[{number}]"), text))
        .collect();
    let parts = || {
        let lines = lines.into_iter().collect::<Option<_>>()?;
        let currency = currency?;
        Some((
            account_id?,
            Order { currency, lines },
            chosen.into_iter().collect::<Option<_>>()?,
        ))
    };
    let parts = parts();
    wrong.finish(&INVALID_REQUEST, parts)
}

fn line(wrong: &mut Violations, number: usize, asked: &pb::OrderLine) -> Option<Line> {
    let field = |name: &str| format!("lines[{number}].{name}");
    let mut named = |name: &str, text: &str| id(wrong, &field(name), text);
    let (seller_id, show_id) = (
        named("seller_id", &asked.seller_id),
        named("show_id", &asked.show_id),
    );
    let performance_id = named("performance_id", &asked.performance_id);
    let pool_id = named("pool_id", &asked.pool_id);
    let property_id = match asked.property_id.as_str() {
        "" => Some(None),
        text => named("property_id", text).map(Some),
    };
    let weekday = asked.weekday.checked_sub(1);
    let weekday = weekday
        .and_then(|day| u8::try_from(day).ok())
        .filter(|day| *day < 7);
    if weekday.is_none() {
        wrong.add(field("weekday"), "must be a day of the week");
    }
    if !(1..=PLACES_MAX).contains(&asked.quantity) {
        wrong.add(field("quantity"), format!("must be 1..{PLACES_MAX}"));
    }
    if !(0..=PRICE_MAX).contains(&asked.unit_price) {
        wrong.add(field("unit_price"), format!("must be 0..{PRICE_MAX}"));
    }
    Some(Line {
        line_no: asked.line_no,
        seller_id: seller_id?,
        show_id: show_id?,
        performance_id: performance_id?,
        category: asked.category.clone(),
        grade: asked.grade.clone(),
        pool_id: pool_id?,
        ord: asked.ord,
        property_id: property_id?,
        weekday: weekday?,
        quantity: asked.quantity,
        unit_price: asked.unit_price,
    })
}

/// A quote as it is told.
pub(in crate::grpc) fn told(quote: &Quote) -> pb::Quote {
    pb::Quote {
        applied: quote.applied.iter().map(applied).collect(),
        unused: quote.unused.iter().map(unused).collect(),
        subtotal: quote.subtotal,
        discount: quote.discount,
        total: quote.total,
        exact: quote.exact,
    }
}

fn applied(applied: &Applied) -> pb::AppliedCoupon {
    let allocations = applied.allocations.iter().map(|part| pb::Allocation {
        line_no: part.line_no,
        amount: part.amount,
        platform_pays: part.platform_pays,
    });
    pb::AppliedCoupon {
        coupon_id: applied.coupon_id.to_string(),
        campaign_id: applied.campaign_id.to_string(),
        discount: applied.discount,
        platform_pays: applied.platform_pays,
        allocations: allocations.collect(),
    }
}

fn unused(unused: &Unused) -> pb::UnusedCoupon {
    let mut told = pb::UnusedCoupon {
        coupon_id: unused.coupon_id.to_string(),
        reason: reason(&unused.reason).into(),
        ..pb::UnusedCoupon::default()
    };
    match &unused.reason {
        WhyNot::NotYetValid { from: time } | WhyNot::Expired { at: time } => {
            told.time = Some(to_timestamp(*time));
        }
        WhyNot::MinimumNotMet { missing: amount } | WhyNot::MaximumExceeded { excess: amount } => {
            told.amount = *amount;
        }
        WhyNot::ExclusiveWith { coupon_ids } => told.coupon_ids = texts(coupon_ids),
        WhyNot::SameCampaign { coupon_id } => told.coupon_ids = texts(&[*coupon_id]),
        WhyNot::GroupFull { group, coupon_ids } => {
            told.coupon_ids = texts(coupon_ids);
            told.group.clone_from(group);
        }
        _ => {}
    }
    told
}

fn texts(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(Uuid::to_string).collect()
}

/// The reason without what goes with it.
pub(in crate::grpc) const fn reason(reason: &WhyNot) -> pb::WhyNotUsed {
    match reason {
        WhyNot::Unknown => pb::WhyNotUsed::Unknown,
        WhyNot::NotYetValid { .. } => pb::WhyNotUsed::NotYetValid,
        WhyNot::Expired { .. } => pb::WhyNotUsed::Expired,
        WhyNot::Reserved => pb::WhyNotUsed::Reserved,
        WhyNot::Used => pb::WhyNotUsed::Used,
        WhyNot::Revoked => pb::WhyNotUsed::Revoked,
        WhyNot::CurrencyMismatch => pb::WhyNotUsed::CurrencyMismatch,
        WhyNot::NotEligible => pb::WhyNotUsed::NotEligible,
        WhyNot::MinimumNotMet { .. } => pb::WhyNotUsed::MinimumNotMet,
        WhyNot::MaximumExceeded { .. } => pb::WhyNotUsed::MaximumExceeded,
        WhyNot::ExclusiveWith { .. } => pb::WhyNotUsed::ExclusiveWith,
        WhyNot::SameCampaign { .. } => pb::WhyNotUsed::SameCampaign,
        WhyNot::GroupFull { .. } => pb::WhyNotUsed::GroupFull,
        WhyNot::NoEffect => pb::WhyNotUsed::NoEffect,
        WhyNot::NotBetter => pb::WhyNotUsed::NotBetter,
        WhyNot::NotChosen => pb::WhyNotUsed::NotChosen,
    }
}

/// The first of these, and how many there are beside them: a refusal has to fit in the headers of an answer.
fn some(ids: &[Uuid]) -> String {
    let named: Vec<String> = ids.iter().take(NAMED_MAX).map(Uuid::to_string).collect();
    match ids.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The beginning of a name.
fn shown(name: &str) -> String {
    let mut rest = name.chars();
    let mut shown: String = rest.by_ref().take(GROUP_SHOWN).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What a coupon that was chosen and cannot be used lacks, for people.
pub(in crate::grpc) fn description(reason: &WhyNot) -> String {
    match reason {
        WhyNot::Unknown => "the account has no such coupon".to_owned(),
        WhyNot::NotYetValid { from } => format!("it can be used from {} on", from.to_rfc3339()),
        WhyNot::Expired { at } => format!("it expired at {}", at.to_rfc3339()),
        WhyNot::Reserved => "another order holds it".to_owned(),
        WhyNot::Used => "it was used".to_owned(),
        WhyNot::Revoked => "it was taken back".to_owned(),
        WhyNot::CurrencyMismatch => "it is for orders in another currency".to_owned(),
        WhyNot::NotEligible => "it is for none of the lines".to_owned(),
        WhyNot::MinimumNotMet { missing } => {
            format!("what it is for costs {missing} minor units too little")
        }
        WhyNot::MaximumExceeded { excess } => {
            format!("what it is for costs {excess} minor units too much")
        }
        WhyNot::ExclusiveWith { coupon_ids } => {
            format!("it cannot be used beside {}", some(coupon_ids))
        }
        WhyNot::SameCampaign { coupon_id } => format!("{coupon_id} is of the same campaign"),
        WhyNot::GroupFull { group, coupon_ids } => {
            let others = some(coupon_ids);
            let group = shown(group);
            format!("as many of {group:?} are used as can be: {others}")
        }
        WhyNot::NoEffect => "there is nothing left that it could take off".to_owned(),
        WhyNot::NotBetter | WhyNot::NotChosen => "it could be used".to_owned(),
    }
}
