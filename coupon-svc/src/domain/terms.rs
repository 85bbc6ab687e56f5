//! What a coupon takes off, of what, and beside which others: the same for every coupon of a campaign.

use std::collections::BTreeSet;

use chrono::Weekday;
use mesh::money::Currency;
use uuid::Uuid;

use super::order::Line;

/// Percentages and shares are out of so many basis points.
pub const BASIS_POINTS: u32 = 10_000;

/// What a coupon is worth, and where it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Currency of every amount here, and of the orders that it is for.
    pub currency: Currency,
    /// Name of its discount kind in [`super::discount::KINDS`].
    pub kind: &'static str,
    /// Percent (1..=100) or minor units, as the kind says.
    pub value: i64,
    /// Most that it takes off, in minor units.
    pub max_discount: Option<i64>,
    /// Least that what it is for has to cost, after what comes before it, in minor units; 0: nothing.
    pub min_order: i64,
    /// Most that what it is for may cost.
    pub max_order: Option<i64>,
    /// Seller whose lines alone it is for; `None`: a coupon of the platform.
    pub seller_id: Option<Uuid>,
    /// Lines that it is for.
    pub target: Target,
    /// Days of the week, in the time zone of the venue, that it is for; empty: every day.
    pub weekdays: BTreeSet<WeekdayNumber>,
    /// Coupons of a group that can be used together.
    pub group: Option<Group>,
    /// Whether it is used alone.
    pub exclusive: bool,
    /// Share of the discount that the platform pays, in basis points; the seller pays the rest.
    pub platform_share: u32,
}

impl Terms {
    /// Whether the coupon is for a line: of its seller, in its target, on one of its days.
    #[must_use]
    pub fn matches(&self, line: &Line) -> bool {
        self.seller_id.is_none_or(|seller| seller == line.seller_id)
            && (self.weekdays.is_empty() || self.weekdays.contains(&line.weekday))
            && self.target.matches(line)
    }
}

/// Monday is 0.
pub type WeekdayNumber = u8;

/// The number of a day of the week.
#[must_use]
pub fn weekday_number(day: Weekday) -> WeekdayNumber {
    u8::try_from(day.num_days_from_monday()).unwrap_or_default()
}

/// At most so many coupons of a group in one order. A group is of the campaigns of one seller, or of the platform: the same name
/// elsewhere is another group. Campaigns of it that name different limits are held to the lowest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name, one of the seller's.
    pub name: String,
    /// Most coupons.
    pub most: u32,
}

/// Which lines of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All.
    All,
    /// Shows of these categories.
    Category(BTreeSet<String>),
    /// These shows.
    Show(BTreeSet<Uuid>),
    /// These performances.
    Performance(BTreeSet<Uuid>),
    /// These grades.
    Grade(BTreeSet<String>),
    /// These units: pool and number.
    Unit(BTreeSet<(Uuid, u32)>),
    /// Rooms of these properties.
    Property(BTreeSet<Uuid>),
    /// Whatever these sellers sell.
    Seller(BTreeSet<Uuid>),
}

impl Target {
    /// Whether a line is one of these.
    #[must_use]
    pub fn matches(&self, line: &Line) -> bool {
        match self {
            Self::All => true,
            Self::Category(names) => names.contains(&line.category),
            Self::Show(ids) => ids.contains(&line.show_id),
            Self::Performance(ids) => ids.contains(&line.performance_id),
            Self::Grade(names) => names.contains(&line.grade),
            Self::Unit(units) => units.contains(&(line.pool_id, line.ord)),
            Self::Property(ids) => line.property_id.is_some_and(|id| ids.contains(&id)),
            Self::Seller(ids) => ids.contains(&line.seller_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn line() -> Line {
        Line {
            line_no: 1,
            seller_id: id(1),
            show_id: id(2),
            performance_id: id(3),
            category: "MUSICAL".to_owned(),
            grade: "VIP".to_owned(),
            pool_id: id(4),
            ord: 5,
            property_id: Some(id(6)),
            weekday: weekday_number(Weekday::Sun),
            quantity: 2,
            unit_price: 100,
        }
    }

    fn terms(target: Target) -> Terms {
        Terms {
            currency: "KRW".parse().unwrap(),
            kind: "LINE_PERCENT",
            value: 10,
            max_discount: None,
            min_order: 0,
            max_order: None,
            seller_id: None,
            target,
            weekdays: BTreeSet::new(),
            group: None,
            exclusive: false,
            platform_share: BASIS_POINTS,
        }
    }

    #[test]
    fn targets_match_what_they_name() {
        let ids = |number| BTreeSet::from([id(9), id(number)]);
        let names = |name: &str| BTreeSet::from(["X".to_owned(), name.to_owned()]);
        let unit = |pool, ord| BTreeSet::from([(id(pool), ord)]);
        for (target, matches) in [
            (Target::All, true),
            (Target::Category(names("MUSICAL")), true),
            (Target::Category(names("VIP")), false),
            (Target::Show(ids(2)), true),
            (Target::Show(ids(1)), false),
            (Target::Performance(ids(3)), true),
            (Target::Performance(ids(2)), false),
            (Target::Grade(names("VIP")), true),
            (Target::Grade(names("R")), false),
            (Target::Unit(unit(4, 5)), true),
            (Target::Unit(unit(4, 6)), false),
            (Target::Unit(unit(5, 5)), false),
            (Target::Property(ids(6)), true),
            (Target::Property(ids(4)), false),
            (Target::Seller(ids(1)), true),
            (Target::Seller(ids(2)), false),
        ] {
            assert_eq!(
                terms(target.clone()).matches(&line()),
                matches,
                "{target:?}"
            );
        }
        let seat = Line {
            property_id: None,
            ..line()
        };
        assert!(!Target::Property(ids(6)).matches(&seat));
    }

    #[test]
    fn sellers_and_days_narrow_the_target() {
        let of_seller = |seller| Terms {
            seller_id: Some(id(seller)),
            ..terms(Target::All)
        };
        assert!(of_seller(1).matches(&line()));
        assert!(!of_seller(2).matches(&line()));
        let on = |days: &[Weekday]| Terms {
            weekdays: days.iter().copied().map(weekday_number).collect(),
            ..terms(Target::All)
        };
        assert!(on(&[]).matches(&line()));
        assert!(on(&[Weekday::Sat, Weekday::Sun]).matches(&line()));
        assert!(!on(&[Weekday::Mon]).matches(&line()));
    }
}
