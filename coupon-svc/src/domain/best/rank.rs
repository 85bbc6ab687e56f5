//! Which of two sets is better.

use super::{DateTime, Reverse, Utc, Uuid};

/// What sets are compared by; the better one is less.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// The larger discount is better.
    pub(super) discount: Reverse<i64>,
    /// Sorted. Coupons that expire first are used first; of two lists that begin alike the shorter one is better.
    pub(super) expiries: Vec<DateTime<Utc>>,
    /// The platform pays as little as possible.
    pub(super) platform: i64,
    /// Sorted; makes the best set the only one.
    pub(super) ids: Vec<Uuid>,
}
