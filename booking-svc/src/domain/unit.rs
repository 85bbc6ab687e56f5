//! Units on sale: what a hall's unit has become in one pool.

use mesh::money::Money;
use uuid::Uuid;

use super::hall::Unit;

/// How much of a unit can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// At least one place can be held.
    Available,
    /// Every place is taken, some only by holds.
    HeldOut,
    /// Every place is sold or blocked.
    SoldOut,
}

/// Counters of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Places, those sold beyond capacity on purpose included.
    pub places: u32,
    /// Places kept out of the sale.
    pub blocked: u32,
    /// Places held.
    pub held: u32,
    /// Places sold.
    pub sold: u32,
}

/// A unit with its price and what is left of it.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitOnSale {
    /// The unit of the hall.
    pub unit: Unit,
    /// Price of one place.
    pub price: Money,
    /// What is taken.
    pub counters: Counters,
}

/// Which units to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFilter {
    /// Pool.
    pub pool_id: Uuid,
    /// Only this zone.
    pub zone: Option<String>,
    /// Only this grade.
    pub grade: Option<String>,
    /// Only these.
    pub availability: Option<Availability>,
}

impl Counters {
    /// Places that can be held now.
    #[must_use]
    pub fn available(self) -> u32 {
        let taken = self
            .blocked
            .saturating_add(self.held)
            .saturating_add(self.sold);
        self.places.saturating_sub(taken)
    }

    /// The level.
    #[must_use]
    pub fn availability(self) -> Availability {
        if self.available() > 0 {
            Availability::Available
        } else if self.held > 0 {
            Availability::HeldOut
        } else {
            Availability::SoldOut
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_may_come_back_and_what_is_sold_does_not() {
        let level = |places, blocked, held, sold| {
            let counters = Counters {
                places,
                blocked,
                held,
                sold,
            };
            (counters.available(), counters.availability())
        };
        assert_eq!(level(1, 0, 0, 0), (1, Availability::Available));
        assert_eq!(level(1, 0, 1, 0), (0, Availability::HeldOut));
        assert_eq!(level(1, 0, 0, 1), (0, Availability::SoldOut));
        assert_eq!(level(1, 1, 0, 0), (0, Availability::SoldOut));
        assert_eq!(level(10, 2, 3, 4), (1, Availability::Available));
        assert_eq!(level(10, 2, 1, 7), (0, Availability::HeldOut));
    }
}
