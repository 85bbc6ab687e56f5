//! What a coupon is worth, on the wire.

use std::collections::BTreeSet;

use mesh::status::Violations;
use proto::usher::coupon::v1 as pb;
use uuid::Uuid;

use super::id;
use crate::domain::discount;
use crate::domain::terms::{BASIS_POINTS, Group, Target, Terms};

/// Values of one target: a list that a person can still check.
const VALUES_MAX: usize = 100;
/// Characters of a category, a grade, or the name of a group: as of every name.
const NAME_MAX: usize = 200;
/// Coupons of a group in one order.
const GROUP_MAX: u32 = 100;

/// Terms of a seller's campaign, or of the platform's, if all of it holds.
pub(super) fn read(
    wrong: &mut Violations,
    terms: Option<&pb::CouponTerms>,
    seller_id: Option<Uuid>,
) -> Option<Terms> {
    let Some(terms) = terms else {
        wrong.add("settings.terms", "is needed");
        return None;
    };
    let currency = terms.currency.parse();
    if currency.is_err() {
        wrong.add(
            "settings.terms.currency",
            "must be a code of ISO 4217, such as KRW",
        );
    }
    let kind = discount::kind(kind_name(terms.kind()));
    match kind.map(|kind| kind.check(terms.value)) {
        None => wrong.add(
            "settings.terms.kind",
            "must be one of the kinds of discounts",
        ),
        Some(Err(remedy)) => wrong.add("settings.terms.value", remedy),
        Some(Ok(())) => {}
    }
    let bounds = [
        ("max_discount", terms.max_discount),
        ("min_order", terms.min_order),
        ("max_order", terms.max_order),
    ];
    for (field, amount) in bounds {
        if amount < 0 {
            wrong.add(format!("settings.terms.{field}"), "must not be negative");
        }
    }
    if terms.max_order > 0 && terms.max_order < terms.min_order {
        wrong.add("settings.terms.max_order", "must not be below min_order");
    }
    if terms.platform_share > BASIS_POINTS {
        wrong.add(
            "settings.terms.platform_share",
            format!("must be 0..{BASIS_POINTS}"),
        );
    } else if seller_id.is_some() && terms.platform_share > 0 {
        let remedy = "must be 0: a seller's campaign is paid by the seller";
        wrong.add("settings.terms.platform_share", remedy);
    }
    let (target, weekdays, group) = (
        target(wrong, terms),
        weekdays(wrong, terms),
        group(wrong, terms),
    );
    let limit = |amount: i64| (amount > 0).then_some(amount);
    Some(Terms {
        currency: currency.ok()?,
        kind: kind?.name(),
        value: terms.value,
        max_discount: limit(terms.max_discount),
        min_order: terms.min_order,
        max_order: limit(terms.max_order),
        seller_id,
        target: target?,
        weekdays: weekdays?,
        group: group?,
        exclusive: terms.exclusive,
        platform_share: terms.platform_share,
    })
}

/// Days by number, from Monday.
fn weekdays(wrong: &mut Violations, terms: &pb::CouponTerms) -> Option<BTreeSet<u8>> {
    let number = |day: &i32| day.checked_sub(1).and_then(|day| u8::try_from(day).ok());
    let numbers: Option<BTreeSet<u8>> = terms
        .weekdays
        .iter()
        .map(|day| number(day).filter(|day| *day < 7))
        .collect();
    if numbers.is_none() {
        wrong.add("settings.terms.weekdays", "must be days of the week");
    }
    numbers
}

fn group(wrong: &mut Violations, terms: &pb::CouponTerms) -> Option<Option<Group>> {
    let (name, most) = (&terms.group, terms.group_max);
    if name.is_empty() {
        if most > 0 {
            wrong.add("settings.terms.group", "is needed beside group_max");
        }
        return Some(None);
    }
    if !is_name(name) {
        wrong.add("settings.terms.group", name_rule());
        return None;
    }
    if !(1..=GROUP_MAX).contains(&most) {
        let remedy = format!("must be 1..{GROUP_MAX}: how many of the group can be used together");
        wrong.add("settings.terms.group_max", remedy);
        return None;
    }
    Some(Some(Group {
        name: name.clone(),
        most,
    }))
}

fn target(wrong: &mut Violations, terms: &pb::CouponTerms) -> Option<Target> {
    const FIELD: &str = "settings.terms.target_values";
    let (kind, values) = (terms.target(), &terms.target_values);
    if pb::TargetKind::try_from(terms.target).is_err() {
        wrong.add(
            "settings.terms.target",
            "must be one of the kinds of targets",
        );
        return None;
    }
    if kind == pb::TargetKind::Unspecified {
        if !values.is_empty() {
            wrong.add("settings.terms.target", "is needed beside target_values");
        }
        return Some(Target::All);
    }
    if !(1..=VALUES_MAX).contains(&values.len()) {
        wrong.add(FIELD, format!("must be 1..{VALUES_MAX} values"));
        return None;
    }
    let ids = |wrong: &mut Violations| -> Option<BTreeSet<Uuid>> {
        let numbered = values.iter().enumerate();
        let ids = numbered.map(|(number, text)| id(wrong, &format!("{FIELD}[{number}]"), text));
        ids.collect::<Vec<_>>().into_iter().collect()
    };
    let names = |wrong: &mut Violations| -> Option<BTreeSet<String>> {
        for (number, name) in values.iter().enumerate() {
            if !is_name(name) {
                wrong.add(format!("{FIELD}[{number}]"), name_rule());
            }
        }
        Some(values.iter().cloned().collect())
    };
    match kind {
        pb::TargetKind::Unspecified => Some(Target::All),
        pb::TargetKind::Category => names(wrong).map(Target::Category),
        pb::TargetKind::Grade => names(wrong).map(Target::Grade),
        pb::TargetKind::Show => ids(wrong).map(Target::Show),
        pb::TargetKind::Performance => ids(wrong).map(Target::Performance),
        pb::TargetKind::Property => ids(wrong).map(Target::Property),
        pb::TargetKind::Seller => ids(wrong).map(Target::Seller),
        pb::TargetKind::Unit => units(wrong, FIELD, values).map(Target::Unit),
    }
}

fn units(wrong: &mut Violations, field: &str, values: &[String]) -> Option<BTreeSet<(Uuid, u32)>> {
    let unit = |text: &String| {
        let (pool, ord) = text.split_once('/')?;
        Some((mesh::id::parse(pool)?, ord.parse().ok()?))
    };
    let mut units = BTreeSet::new();
    let mut whole = true;
    for (number, text) in values.iter().enumerate() {
        if let Some(unit) = unit(text) {
            units.insert(unit);
        } else {
            wrong.add(format!("{field}[{number}]"), "must be <pool_id>/<ord>");
            whole = false;
        }
    }
    whole.then_some(units)
}

fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn name_rule() -> String {
    format!("must have 1 to {NAME_MAX} characters and no control characters")
}

const fn kind_name(kind: pb::DiscountKind) -> &'static str {
    match kind {
        pb::DiscountKind::Unspecified => "",
        pb::DiscountKind::LinePercent => "LINE_PERCENT",
        pb::DiscountKind::LineFixed => "LINE_FIXED",
        pb::DiscountKind::OrderPercent => "ORDER_PERCENT",
        pb::DiscountKind::OrderFixed => "ORDER_FIXED",
    }
}

/// Terms as they are told.
pub(super) fn told(terms: &Terms) -> pb::CouponTerms {
    use pb::TargetKind as Kind;

    let ids = |ids: &BTreeSet<Uuid>| ids.iter().map(Uuid::to_string).collect();
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect();
    let (target, target_values) = match &terms.target {
        Target::All => (Kind::Unspecified, Vec::new()),
        Target::Category(values) => (Kind::Category, names(values)),
        Target::Grade(values) => (Kind::Grade, names(values)),
        Target::Show(values) => (Kind::Show, ids(values)),
        Target::Performance(values) => (Kind::Performance, ids(values)),
        Target::Property(values) => (Kind::Property, ids(values)),
        Target::Seller(values) => (Kind::Seller, ids(values)),
        Target::Unit(values) => {
            let units = values
                .iter()
                .map(|(pool_id, ord)| format!("{pool_id}/{ord}"));
            (Kind::Unit, units.collect())
        }
    };
    let kinds = [
        pb::DiscountKind::LinePercent,
        pb::DiscountKind::LineFixed,
        pb::DiscountKind::OrderPercent,
        pb::DiscountKind::OrderFixed,
    ];
    let kind = kinds
        .into_iter()
        .find(|kind| kind_name(*kind) == terms.kind);
    pb::CouponTerms {
        currency: terms.currency.code().to_owned(),
        kind: kind.unwrap_or_default().into(),
        value: terms.value,
        max_discount: terms.max_discount.unwrap_or_default(),
        min_order: terms.min_order,
        max_order: terms.max_order.unwrap_or_default(),
        target: target.into(),
        target_values,
        weekdays: terms
            .weekdays
            .iter()
            .map(|day| i32::from(*day) + 1)
            .collect(),
        group: terms
            .group
            .as_ref()
            .map_or_else(String::new, |group| group.name.clone()),
        group_max: terms.group.as_ref().map_or(0, |group| group.most),
        exclusive: terms.exclusive,
        platform_share: terms.platform_share,
    }
}
