//! Terms as JSON: what a coupon is worth is read with its campaign, and searched by nothing but its currency.

use std::collections::BTreeSet;

use diesel::QueryResult;
use mesh::money::Currency;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::corrupt;
use crate::domain::discount;
use crate::domain::terms::{Group, Target, Terms, WeekdayNumber};

#[derive(Serialize, Deserialize)]
struct Stored {
    currency: String,
    kind: String,
    value: i64,
    max_discount: Option<i64>,
    min_order: i64,
    max_order: Option<i64>,
    target: StoredTarget,
    weekdays: BTreeSet<WeekdayNumber>,
    group: Option<StoredGroup>,
    exclusive: bool,
    platform_share: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredGroup {
    name: String,
    most: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum StoredTarget {
    All,
    Category(BTreeSet<String>),
    Show(BTreeSet<Uuid>),
    Performance(BTreeSet<Uuid>),
    Grade(BTreeSet<String>),
    Unit(BTreeSet<(Uuid, u32)>),
    Property(BTreeSet<Uuid>),
    Seller(BTreeSet<Uuid>),
}

/// Terms as they are kept.
pub(super) fn written(terms: &Terms) -> QueryResult<Value> {
    let stored = Stored {
        currency: terms.currency.code().to_owned(),
        kind: terms.kind.to_owned(),
        value: terms.value,
        max_discount: terms.max_discount,
        min_order: terms.min_order,
        max_order: terms.max_order,
        target: match terms.target.clone() {
            Target::All => StoredTarget::All,
            Target::Category(values) => StoredTarget::Category(values),
            Target::Show(values) => StoredTarget::Show(values),
            Target::Performance(values) => StoredTarget::Performance(values),
            Target::Grade(values) => StoredTarget::Grade(values),
            Target::Unit(values) => StoredTarget::Unit(values),
            Target::Property(values) => StoredTarget::Property(values),
            Target::Seller(values) => StoredTarget::Seller(values),
        },
        weekdays: terms.weekdays.clone(),
        group: terms.group.clone().map(|group| StoredGroup {
            name: group.name,
            most: group.most,
        }),
        exclusive: terms.exclusive,
        platform_share: terms.platform_share,
    };
    serde_json::to_value(stored).map_err(|error| corrupt(error.to_string()))
}

/// Terms of a campaign of `seller_id`.
pub(super) fn read(kept: Value, seller_id: Option<Uuid>) -> QueryResult<Terms> {
    let stored: Stored =
        serde_json::from_value(kept).map_err(|error| corrupt(format!("terms: {error}")))?;
    let currency: Currency = stored
        .currency
        .parse()
        .map_err(|_| corrupt(format!("currency {}", stored.currency)))?;
    let kind = discount::kind(&stored.kind)
        .ok_or_else(|| corrupt(format!("discount kind {}", stored.kind)))?;
    Ok(Terms {
        currency,
        kind: kind.name(),
        value: stored.value,
        max_discount: stored.max_discount,
        min_order: stored.min_order,
        max_order: stored.max_order,
        seller_id,
        target: match stored.target {
            StoredTarget::All => Target::All,
            StoredTarget::Category(values) => Target::Category(values),
            StoredTarget::Show(values) => Target::Show(values),
            StoredTarget::Performance(values) => Target::Performance(values),
            StoredTarget::Grade(values) => Target::Grade(values),
            StoredTarget::Unit(values) => Target::Unit(values),
            StoredTarget::Property(values) => Target::Property(values),
            StoredTarget::Seller(values) => Target::Seller(values),
        },
        weekdays: stored.weekdays,
        group: stored.group.map(|group| Group {
            name: group.name,
            most: group.most,
        }),
        exclusive: stored.exclusive,
        platform_share: stored.platform_share,
    })
}
