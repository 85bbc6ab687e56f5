//! What the line is asked, and what it says.

use super::Standing;
use crate::domain::lane::{Lane, Spot};

/// An account as the line knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Keyed digest of the account.
    pub digest: [u8; 10],
    /// Bucket it is in.
    pub bucket: u32,
}

/// Somebody who wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Joiner {
    /// Who.
    pub tag: Tag,
    /// Lane of a new place.
    pub lane: Lane,
    /// Place of before that a ticket proves: of an older generation, and never turned into a pass.
    pub adopt: Option<Spot>,
}

/// Somebody who asks about a place that a ticket proves.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// Who.
    pub tag: Tag,
    /// Place.
    pub spot: Spot,
    /// Whether the place comes back when the line has forgotten it; as in [`Joiner::adopt`].
    pub adopt: bool,
}

/// What the line said about one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The place, of whoever has one.
    pub spot: Option<Spot>,
    /// What it is.
    pub standing: Standing,
}

/// What an admission did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Offers made.
    pub granted: u32,
    /// Slots taken now.
    pub used: u32,
    /// Slots taken back.
    pub purged: u32,
    /// Offers among them: turns that nobody took.
    pub missed: u32,
}
