//! Somebody at the door of a room, and what can be said from memory.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::status::chain;
use tracing::warn;
use uuid::Uuid;

use super::answer::{Answer, Outlook, Place, Refusal};
use crate::domain::lane::Spot;
use crate::domain::pace;
use crate::domain::room::{Phase, Room};
use crate::line::{LineError, Standing, Told};
use crate::rooms::Live;

/// Somebody at the door of a room.
pub(super) struct Guest {
    pub(super) account_id: Uuid,
    pub(super) live: Arc<Live>,
    pub(super) room: Arc<Room>,
    pub(super) phase: Phase,
    pub(super) now: DateTime<Utc>,
}

impl Guest {
    pub(super) fn outside(&self) -> Answer {
        let place = match self.phase {
            Phase::NotYetOpen => Place::NotYetOpen,
            _ => Place::Closed,
        };
        self.answer(place, None, 1)
    }

    /// Whether the line knows of a draw that this instance has not heard of; it will within a second.
    pub(super) fn is_behind(&self) -> bool {
        let known = self.room.settings(self.now).version;
        self.room.is_entered(self.now) && self.live.view().version > known
    }

    /// The place that a number of a ticket stands for: entries of a draw have others by now.
    pub(super) fn place_of(&self, spot: Spot) -> Result<Spot, Refusal> {
        match self.room.draw {
            Some(draw) if draw.done && !draw.is_place(spot) => {
                let ranks = self.live.ranks().ok_or_else(Refusal::soon)?;
                Ok(draw.place(spot, ranks).unwrap_or(spot))
            }
            _ => Ok(spot),
        }
    }

    /// In the draw.
    pub(super) fn entered(&self, spot: Spot) -> Answer {
        let entry = spot.seq + 1;
        self.answer(Place::Entered { entry }, Some(spot), 1)
    }

    /// In the draw that is under way; whoever has a place already hears of it when the draw that was lost is repeated.
    pub(super) fn drawing(&self, spot: Spot) -> Result<Answer, Refusal> {
        if self.room.draw.is_some_and(|draw| draw.is_place(spot)) {
            return Err(Refusal::soon());
        }
        Ok(self.entered(spot))
    }

    /// Whether everything is sold while the room would take people.
    pub(super) fn is_sold_out(&self) -> bool {
        self.room.sold_out && !matches!(self.phase, Phase::NotYetOpen | Phase::Closed)
    }

    fn outlook(&self, position: u64) -> Outlook {
        if self.is_sold_out() {
            return Outlook::SoldOut;
        }
        let stock = self.live.stock();
        match stock {
            Some(stock) if stock.is_beyond(position) => Outlook::Unlikely,
            _ => Outlook::Open,
        }
    }

    /// Where a place is that waits, as it is shown and as it is.
    pub(super) fn waiting(&self, spot: Spot, told: Told, shown: u64) -> (Place, u64) {
        let view = self.live.view();
        let (position, late) = match view.position(spot) {
            Some(found) => found,
            // Came a moment ago: behind whoever came before them in the same moment, too.
            None if told.standing == Standing::Waiting => (view.position_of_newcomer(spot), false),
            None => (view.late() + 1, true),
        };
        let shown = match shown {
            0 => position,
            _ if late => position,
            shown => position.min(shown),
        };
        let outlook = self.outlook(position);
        let wait = self
            .live
            .speed()
            .wait(position)
            .filter(|_| outlook != Outlook::SoldOut);
        let place = Place::Waiting {
            position: shown,
            late,
            wait,
            outlook,
        };
        (place, position)
    }

    /// How long somebody at `position` may be silent; spread, so that people do not come in waves.
    pub(super) fn pause(&self, position: u64) -> Duration {
        let phase = if self.is_sold_out() {
            Phase::Paused
        } else {
            self.phase
        };
        self.pause_in(phase, position)
    }

    fn pause_in(&self, phase: Phase, position: u64) -> Duration {
        let plan = &self.room.plan;
        let pause = pace::pause(position, plan.rate, phase, plan.silence);
        let spread = pause.mul_f64(pace::JITTER);
        pause.saturating_sub(spread) + mesh::random::jitter(spread * 2)
    }

    /// The line does not answer: whoever stands far away is told to come back later than whoever is next.
    pub(super) fn away(&self, spot: Spot) -> Refusal {
        let position = self.live.view().position(spot);
        Refusal::Unavailable(self.pause(position.map_or(1, |(position, _)| position)))
    }

    pub(super) fn answer(&self, place: Place, spot: Option<Spot>, position: u64) -> Answer {
        // A newcomer is one that the view has not counted yet.
        let least = match place {
            Place::Waiting { late: false, .. } => position,
            _ => 0,
        };
        let poll_after = match place {
            // Nothing happens to them soon.
            Place::Entered { .. } | Place::Overloaded => self.pause_in(Phase::Paused, position),
            _ => self.pause(position),
        };
        Answer {
            place,
            spot,
            ticket: None,
            live: self.live.view().live().max(least),
            poll_after,
            paused: self.phase == Phase::Paused,
            open_time: self.room.plan.open_time.filter(|time| *time > self.now),
            rate: self.room.plan.rate,
            sold_out_grades: self.live.grades().sold_out.clone(),
        }
    }
}

pub(super) fn one(
    guest: &Guest,
    answer: Result<(i64, Vec<Told>), LineError>,
) -> Result<Told, Refusal> {
    let (_, told) = answer.map_err(|error| unavailable(guest, &error))?;
    told.into_iter().next().ok_or_else(Refusal::soon)
}

pub(super) fn unavailable(guest: &Guest, error: &LineError) -> Refusal {
    warn!(
        error = chain(error),
        "the line does not answer: {}",
        chain(error)
    );
    guest.live.suspect(error);
    Refusal::soon()
}
