//! Bounds of the catalogue, one place for all of them.

/// Units of one hall, and seats of one plan: twice the largest arena, and one statement still copies them in seconds.
pub const UNITS_MAX: usize = 100_000;

/// Grades of one hall: a price table that a person can still read.
pub const GRADES_MAX: usize = 100;

/// Characters of any name.
pub const NAME_CHARS_MAX: usize = 200;

/// People in one general-admission area: the largest open-air crowds ever counted at one gate.
pub const AREA_CAPACITY_MAX: u32 = 1_000_000;

/// Characters of a description.
pub const TEXT_CHARS_MAX: usize = 4_000;

/// Names of one cast: a choir is one name.
pub const CAST_MAX: usize = 100;

/// Minor units of one place. The largest hold (64 lines of 100 places) of the dearest places still fits in an int64.
pub const PRICE_MAX: i64 = 1_000_000_000_000;
