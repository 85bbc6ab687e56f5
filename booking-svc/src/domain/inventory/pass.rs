//! Whom a waiting room let in: by a pass, which may be good for one hold only.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{HoldUnits, Rejection, Snapshot};

/// A place in the line of a show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The show.
    pub show_id: Uuid,
    /// Epoch of its room.
    pub epoch: u64,
    /// Lane.
    pub lane: u8,
    /// Number in the lane.
    pub seq: u64,
}

/// A pass that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pass {
    /// Place by which its owner came in.
    pub place: Place,
    /// Whether the place is good for one hold only.
    pub strict: bool,
}

/// The places that a hold in `shows`, whose waiting rooms have to let people in, takes with it.
///
/// From the rows of the shows alone: what a caller says about them counts for nothing.
pub(super) fn let_in(
    snapshot: &Snapshot,
    wanted: &HoldUnits,
    shows: &BTreeSet<Uuid>,
) -> Result<BTreeSet<Place>, Rejection> {
    let (mut missing, mut used, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for show_id in shows {
        let shown = wanted.admitted.iter();
        let shown: Vec<&Pass> = shown
            .filter(|pass| pass.place.show_id == *show_id)
            .collect();
        let fresh = |pass: &&&Pass| !snapshot.burned.contains(&pass.place);
        if shown.is_empty() {
            missing.insert(*show_id);
        } else if shown.iter().all(|pass| pass.strict) {
            match shown.iter().find(fresh) {
                Some(pass) => taken.insert(pass.place),
                None => used.insert(*show_id),
            };
        }
    }
    if !missing.is_empty() {
        return Err(Rejection::QueuePassRequired(missing));
    }
    if !used.is_empty() {
        return Err(Rejection::QueuePassUsed(used));
    }
    Ok(taken)
}
