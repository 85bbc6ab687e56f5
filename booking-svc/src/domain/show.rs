//! Shows: what is played, and the rules of its sale.
//!
//! | state | publish |
//! |---|---|
//! | DRAFT with a performance | PUBLISHED |
//! | DRAFT without | [`PublishRefused::NoPerformance`] |
//! | PUBLISHED | [`PublishRefused::NotDraft`] |

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use mesh::money::Currency;
use thiserror::Error;
use uuid::Uuid;

use super::finding::Findings;
use super::limits::CAST_MAX;
use super::text::{check_label, check_name, check_text};

/// Shortest life of a hold: a buyer has to find a card.
pub const HOLD_TTL_MIN: TimeDelta = TimeDelta::minutes(1);
/// Longest life of a hold: others wait for these seats.
pub const HOLD_TTL_MAX: TimeDelta = TimeDelta::minutes(30);
/// Life of a hold when the seller says nothing.
pub const HOLD_TTL_DEFAULT: TimeDelta = TimeDelta::minutes(5);
/// Largest cap: as many as one line of a hold.
pub const UNITS_PER_BUYER_MAX: u32 = 100;

/// What a seller says about a show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowSpec {
    /// Title.
    pub title: String,
    /// Names of the cast.
    pub cast_names: Vec<String>,
    /// Category; may be empty.
    pub category: String,
    /// Age rating as printed; may be empty.
    pub age_rating: String,
    /// Text; may be empty.
    pub description: String,
    /// Currency of every price.
    pub currency: Currency,
    /// First instant at which units can be held.
    pub sale_open_time: DateTime<Utc>,
    /// Instant from which units cannot be held any more.
    pub sale_close_time: DateTime<Utc>,
    /// Most units one buyer can have over all performances.
    pub units_per_buyer_max: u32,
    /// How long a hold lives, in whole seconds.
    pub hold_ttl: TimeDelta,
    /// Whether units are held only with a pass of the waiting room.
    pub queue_required: bool,
    /// Whether it is looked at only with such a pass, too.
    pub browse_gated: bool,
}

/// Where a show stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowState {
    /// Being prepared.
    Draft,
    /// Visible to all.
    Published,
}

/// A show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// Id.
    pub show_id: Uuid,
    /// Account that owns it.
    pub seller_id: Uuid,
    /// What its owner says.
    pub spec: ShowSpec,
    /// Where it stands.
    pub state: ShowState,
    /// Plus 1 with every change, from 1.
    pub version: i64,
    /// When it was created.
    pub create_time: DateTime<Utc>,
}

/// Who looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// The account, when somebody is logged in.
    pub account_id: Option<Uuid>,
    /// Whether it may operate.
    pub is_admin: bool,
    /// Shows whose waiting rooms let it in.
    pub admitted: BTreeSet<Uuid>,
}

/// Why a show is not published.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PublishRefused {
    /// It is published already.
    #[error("only a DRAFT can be published")]
    NotDraft,
    /// There would be nothing to buy.
    #[error("a show needs a performance to be published")]
    NoPerformance,
}

/// Which shows to list.
#[derive(Clone, Debug, Default)]
pub struct ShowFilter {
    /// Only this category.
    pub category: Option<String>,
    /// Only what plays in this venue.
    pub venue_id: Option<Uuid>,
    /// Only this seller's.
    pub seller_id: Option<Uuid>,
    /// Only these.
    pub state: Option<ShowState>,
    /// Whose drafts are listed.
    pub viewer_id: Option<Uuid>,
}

impl Show {
    /// Whether `viewer` may know that the show exists.
    #[must_use]
    pub fn is_visible_to(&self, viewer: &Viewer) -> bool {
        self.state == ShowState::Published || self.is_run_by(viewer)
    }

    /// Whether `viewer`, who may know of the show, may look at it and at what is left of it.
    ///
    /// A gate ends with the sale: there is nothing to come for then, and its waiting room, closed for good, lets nobody in.
    #[must_use]
    pub fn is_open_to(&self, viewer: &Viewer, now: DateTime<Utc>) -> bool {
        !self.spec.browse_gated
            || now >= self.spec.sale_close_time
            || self.is_run_by(viewer)
            || viewer.admitted.contains(&self.show_id)
    }

    fn is_run_by(&self, viewer: &Viewer) -> bool {
        viewer.is_admin || viewer.account_id == Some(self.seller_id)
    }

    /// The show as it is once it is published.
    pub fn publish(self, has_performance: bool) -> Result<Self, PublishRefused> {
        match self.state {
            ShowState::Published => Err(PublishRefused::NotDraft),
            ShowState::Draft if !has_performance => Err(PublishRefused::NoPerformance),
            ShowState::Draft => Ok(Self {
                state: ShowState::Published,
                version: self.version + 1,
                ..self
            }),
        }
    }
}

impl ShowSpec {
    /// Notes every rule that is broken.
    pub fn check(&self, violations: &mut Findings) {
        violations.add_refused("title", check_name(&self.title));
        if self.cast_names.len() > CAST_MAX {
            violations.add("cast_names", format!("must have at most {CAST_MAX} names"));
        }
        for (index, name) in self.cast_names.iter().enumerate().take(CAST_MAX) {
            violations.add_refused(&format!("cast_names[{index}]"), check_name(name));
        }
        violations.add_refused("category", check_label(&self.category));
        violations.add_refused("age_rating", check_label(&self.age_rating));
        violations.add_refused("description", check_text(&self.description));
        if self.sale_close_time <= self.sale_open_time {
            violations.add("sale_close_time", "must be after sale_open_time");
        }
        if !(1..=UNITS_PER_BUYER_MAX).contains(&self.units_per_buyer_max) {
            violations.add(
                "units_per_buyer_max",
                format!("must be 1..{UNITS_PER_BUYER_MAX}"),
            );
        }
        let whole = self.hold_ttl.subsec_nanos() == 0;
        if !whole || !(HOLD_TTL_MIN..=HOLD_TTL_MAX).contains(&self.hold_ttl) {
            violations.add("hold_ttl", "must be whole seconds, 1..30 minutes");
        }
        if self.browse_gated && !self.queue_required {
            let remedy = "needs the waiting room that gives the passes: set queue_required, too, or leave browse_gated out";
            violations.add("browse_gated", remedy);
        }
    }
}

#[cfg(test)]
mod tests;
