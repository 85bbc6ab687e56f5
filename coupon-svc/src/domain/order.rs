//! What somebody is about to buy, as far as coupons look at it.

use mesh::money::Currency;
use uuid::Uuid;

use super::terms::WeekdayNumber;

/// Lines of one order: as many as a hold can have.
pub const LINES_MAX: usize = 64;

/// Places of one line: as many as a hold can have.
pub const PLACES_MAX: u32 = 100;

/// Minor units of one place. The largest order of the dearest places, times a percentage, still fits in an int64.
pub const PRICE_MAX: i64 = 1_000_000_000_000;

/// Coupons that are looked at for one order, and most that can be chosen: more than anybody keeps, and few enough that the answer, with a
/// reason for each, stays small.
pub const CANDIDATES_MAX: usize = 100;

/// Lines that are paid together. Callers hold it to the bounds above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Currency of every price.
    pub currency: Currency,
    /// Lines; no two have the same number.
    pub lines: Vec<Line>,
}

impl Order {
    /// What it costs without coupons, in minor units.
    #[must_use]
    pub fn subtotal(&self) -> i64 {
        self.lines.iter().map(Line::price).sum()
    }
}

/// Places that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number; the lower one is first wherever lines tie.
    pub line_no: u32,
    /// Who sells it.
    pub seller_id: Uuid,
    /// Show.
    pub show_id: Uuid,
    /// Performance.
    pub performance_id: Uuid,
    /// Category of the show.
    pub category: String,
    /// Grade of the places.
    pub grade: String,
    /// Pool of the unit.
    pub pool_id: Uuid,
    /// Number of the unit in its pool.
    pub ord: u32,
    /// Property of a room.
    pub property_id: Option<Uuid>,
    /// Day of the performance, in the time zone of the venue.
    pub weekday: WeekdayNumber,
    /// Places.
    pub quantity: u32,
    /// Price of one place, in minor units.
    pub unit_price: i64,
}

impl Line {
    /// What it costs without coupons, in minor units.
    #[must_use]
    pub fn price(&self) -> i64 {
        self.unit_price.saturating_mul(i64::from(self.quantity))
    }
}
