//! What is left of a show, and what that means for whoever waits.

use uuid::Uuid;

/// Places that a buyer takes while too few have bought to tell.
const PLACES_OF_A_BUYER: u64 = 2;
/// Sales after which buyers' own numbers count.
const SALES_KNOWN: u64 = 20;

/// How much of a pool is sold, as its owner told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Pool.
    pub pool_id: Uuid,
    /// Show.
    pub show_id: Uuid,
    /// Version of the pool; what is older is not taken in.
    pub version: i64,
    /// Places that can be sold, sold ones included.
    pub room: i64,
    /// Places that are sold.
    pub sold: i64,
    /// Holds that became sales.
    pub sales: i64,
    /// Pools of the show.
    pub pools: i32,
    /// Grades of the pool.
    pub grades: Grades,
}

/// Grades of a pool or of a show, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grades {
    /// All of them; none while they are not known.
    pub all: Vec<String>,
    /// Those of which nothing is left.
    pub sold_out: Vec<String>,
}

impl Grades {
    /// Which of the `wanted` ones there are none of, by their number in the list.
    #[must_use]
    pub fn strangers(&self, wanted: &[String]) -> Vec<usize> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let strange = wanted.iter().enumerate();
        let strange = strange.filter(|(_, grade)| !self.all.contains(grade));
        strange.map(|(number, _)| number).collect()
    }

    /// Whether somebody wants some of them, and nothing is left of any.
    #[must_use]
    pub fn are_gone(&self, wanted: &[String]) -> bool {
        !wanted.is_empty() && wanted.iter().all(|grade| self.sold_out.contains(grade))
    }
}

/// What is left of a show, over all of its pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Places that are not sold.
    pub left: u64,
    /// Places that are.
    pub sold: u64,
    /// Holds that became sales.
    pub sales: u64,
    /// Another one whenever a pool told something new.
    pub stamp: i64,
}

impl Stock {
    /// Whether nothing is left.
    #[must_use]
    pub const fn is_sold_out(self) -> bool {
        self.left == 0
    }

    /// Whether whoever stands at `position` would need many in front to give up: more than half as many again as what is left serves, by
    /// what buyers took on average.
    #[must_use]
    pub fn is_beyond(self, position: u64) -> bool {
        let (places, buyers) = if self.sales < SALES_KNOWN {
            (PLACES_OF_A_BUYER, 1)
        } else {
            (self.sold, self.sales)
        };
        let [position, left, places, buyers] =
            [position, self.left, places, buyers].map(u128::from);
        let wanted = position.saturating_mul(places).saturating_mul(2);
        wanted > left.saturating_mul(buyers).saturating_mul(3)
    }

    /// How many people may wait when so many may for each place that is left.
    #[must_use]
    pub fn waiting_max(self, per_place: u32) -> u32 {
        let most = self.left.saturating_mul(u64::from(per_place));
        u32::try_from(most).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_are_beyond_what_is_left_by_what_buyers_take() {
        let early = Stock {
            left: 100,
            sold: 0,
            sales: 0,
            stamp: 0,
        };
        // Two places a buyer: 50 are served, and half as many again may give up.
        assert!(!early.is_beyond(75) && early.is_beyond(76));
        let known = Stock {
            left: 100,
            sold: 400,
            sales: 100,
            stamp: 0,
        };
        assert!(!known.is_beyond(37) && known.is_beyond(38));
        assert_eq!(known.waiting_max(10), 1_000);
        let none = Stock { left: 0, ..known };
        assert!(none.is_sold_out() && none.is_beyond(1) && none.waiting_max(10) == 0);
    }

    #[test]
    fn grades_are_gone_when_nothing_is_left_of_any_that_is_wanted() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let grades = Grades {
            all: names(&["A", "B", "C"]),
            sold_out: names(&["A", "B"]),
        };
        for (wanted, gone, strange) in [
            (vec![], false, vec![]),
            (names(&["A"]), true, vec![]),
            (names(&["B", "A"]), true, vec![]),
            (names(&["A", "C"]), false, vec![]),
            (names(&["A", "a", "D"]), false, vec![1, 2]),
        ] {
            assert_eq!(grades.are_gone(&wanted), gone, "{wanted:?}");
            assert_eq!(grades.strangers(&wanted), strange, "{wanted:?}");
            let unknown = Grades::default();
            assert!(!unknown.are_gone(&wanted) && unknown.strangers(&wanted).is_empty());
        }
    }

    proptest! {
        #[test]
        fn whoever_stands_behind_somebody_who_is_beyond_is_so_too(left: u64, sold: u64, sales: u64, position: u64, behind: u64) {
            let stock = Stock { left, sold, sales, stamp: 0 };
            let further = position.saturating_add(behind);
            prop_assert!(!stock.is_beyond(position) || stock.is_beyond(further));
            prop_assert!(stock.waiting_max(1) <= stock.waiting_max(1_000));
        }
    }
}
