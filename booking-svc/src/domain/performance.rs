//! Performances: a show at a date and time in a hall, with a price for every grade.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mesh::money::{Currency, Money};
use uuid::Uuid;

use super::finding::Findings;
use super::limits::PRICE_MAX;

/// Price of one place of a grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradePrice {
    /// Grade of the hall.
    pub grade: String,
    /// Price.
    pub price: Money,
}

/// What a seller says about a performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformanceSpec {
    /// Show that is played.
    pub show_id: Uuid,
    /// Hall it is played in.
    pub hall_id: Uuid,
    /// Start.
    pub start_time: DateTime<Utc>,
    /// End.
    pub end_time: DateTime<Utc>,
    /// Prices.
    pub prices: Vec<GradePrice>,
}

/// Places of one grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradeAvailability {
    /// Grade.
    pub grade: String,
    /// Places in all.
    pub total: u64,
    /// Places that can be held now.
    pub available: u64,
    /// Places held and not yet sold.
    pub held: u64,
    /// Places sold.
    pub sold: u64,
}

/// A performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performance {
    /// Id.
    pub performance_id: Uuid,
    /// Inventory.
    pub pool_id: Uuid,
    /// Layout of the hall its units come from.
    pub layout_rev: u32,
    /// What its seller says; prices by grade.
    pub spec: PerformanceSpec,
}

/// Why prices do not fit a hall and a show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PricesRefused {
    /// Not one price for every grade.
    Invalid(Findings),
    /// A price in another currency than the show's.
    Currency(Currency),
}

impl PerformanceSpec {
    /// Notes every rule that is broken, as far as the request alone tells.
    pub fn check(&self, violations: &mut Findings) {
        if self.end_time <= self.start_time {
            violations.add("end_time", "must be after start_time");
        }
        let mut first_index = BTreeMap::new();
        for (index, price) in self.prices.iter().enumerate() {
            let first = *first_index.entry(price.grade.as_str()).or_insert(index);
            if first != index {
                let problem = format!("has a price in prices[{first}] already");
                violations.add(format!("prices[{index}].grade"), problem);
            }
            if !(0..=PRICE_MAX).contains(&price.price.minor_units) {
                violations.add(
                    format!("prices[{index}].price.minor_units"),
                    format!("must be 0..{PRICE_MAX}"),
                );
            }
        }
    }

    /// Whether there is one price for each of `grades`, in `currency`.
    pub fn check_prices(
        &self,
        grades: &BTreeSet<String>,
        currency: Currency,
    ) -> Result<(), PricesRefused> {
        let mut violations = Findings::new();
        for (index, price) in self.prices.iter().enumerate() {
            if !grades.contains(&price.grade) {
                violations.add(
                    format!("prices[{index}].grade"),
                    "is not a grade of the hall",
                );
            }
        }
        let priced: BTreeSet<_> = self.prices.iter().map(|price| &price.grade).collect();
        for grade in grades.iter().filter(|grade| !priced.contains(grade)) {
            violations.add("prices", format!("must have a price for grade {grade:?}"));
        }
        if !violations.is_empty() {
            return Err(PricesRefused::Invalid(violations));
        }
        let foreign = self
            .prices
            .iter()
            .map(|price| price.price.currency)
            .find(|&other| other != currency);
        foreign.map_or(Ok(()), |other| Err(PricesRefused::Currency(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(prices: &[(&str, i64, &str)]) -> PerformanceSpec {
        let price = |(grade, units, currency): &(&str, i64, &str)| GradePrice {
            grade: (*grade).to_owned(),
            price: Money::new(*units, currency.parse().unwrap()),
        };
        PerformanceSpec {
            show_id: Uuid::nil(),
            hall_id: Uuid::nil(),
            start_time: "2026-03-01T19:00:00Z".parse().unwrap(),
            end_time: "2026-03-01T22:00:00Z".parse().unwrap(),
            prices: prices.iter().map(price).collect(),
        }
    }

    fn broken(spec: &PerformanceSpec) -> Vec<String> {
        let mut violations = Findings::new();
        spec.check(&mut violations);
        violations.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn times_and_amounts_are_checked() {
        let mut spec = spec(&[("R", 0, "KRW"), ("S", PRICE_MAX, "KRW")]);
        assert_eq!(broken(&spec), Vec::<String>::new());
        spec.end_time = spec.start_time;
        spec.prices[0].price.minor_units = -1;
        spec.prices[1].price.minor_units += 1;
        spec.prices[1].grade = "R".to_owned();
        let expected = [
            "end_time: must be after start_time",
            "prices[0].price.minor_units: must be 0..1000000000000",
            "prices[1].grade: has a price in prices[0] already",
            "prices[1].price.minor_units: must be 0..1000000000000",
        ];
        assert_eq!(broken(&spec), expected);
    }

    #[test]
    fn every_grade_has_one_price_in_the_currency_of_the_show() {
        let grades = BTreeSet::from(["R".to_owned(), "S".to_owned()]);
        let (won, euro): (Currency, Currency) = ("KRW".parse().unwrap(), "EUR".parse().unwrap());
        let both = spec(&[("R", 1, "KRW"), ("S", 2, "KRW")]);
        assert_eq!(both.check_prices(&grades, won), Ok(()));
        assert_eq!(
            both.check_prices(&grades, euro),
            Err(PricesRefused::Currency(won))
        );
        let other = spec(&[("R", 1, "KRW"), ("T", 2, "KRW")]);
        let Err(PricesRefused::Invalid(violations)) = other.check_prices(&grades, won) else {
            panic!("T is no grade");
        };
        let found: Vec<_> = violations.list().iter().map(ToString::to_string).collect();
        let expected = [
            "prices[1].grade: is not a grade of the hall",
            "prices: must have a price for grade \"S\"",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_dearest_hold_fits_in_an_int64() {
        let most = Money::new(PRICE_MAX, "KRW".parse().unwrap()).times(100 * 64);
        assert!(most.is_ok());
    }
}
