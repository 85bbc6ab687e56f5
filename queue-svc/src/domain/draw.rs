//! What a draw decided: which numbers were entries, and which are the places they became.

use super::lane::{Lane, Spot};
use super::lottery::{Seed, ranks};

/// A draw. Its numbers are fixed before the first entry moves, so that a crash in the middle changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Numbers of each lane that were entries: from 0.
    pub entrants: [u32; 3],
    /// First place of each lane; the others follow.
    pub first: [u64; 3],
    /// End of the numbers that are reserved with them.
    pub reserved: [u64; 3],
    /// Whether every entry has its place.
    pub done: bool,
}

/// The rank of each entry, by lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks([Vec<u32>; 3]);

impl Ranks {
    /// What `seed` says: a tenth of a second for a million entries.
    #[must_use]
    pub fn of(seed: &Seed, draw: &Draw) -> Self {
        Self(Lane::ALL.map(|lane| {
            let entrants = draw.entrants.get(index(lane)).copied();
            ranks(seed, lane, entrants.unwrap_or_default())
        }))
    }
}

fn index(lane: Lane) -> usize {
    usize::from(lane.number()) - 1
}

impl Draw {
    /// How many numbers of a lane were entries.
    #[must_use]
    pub fn entrants(&self, lane: Lane) -> u64 {
        self.entrants.get(index(lane)).copied().map_or(0, u64::from)
    }

    /// Of a lane: the first place, the number after the last one, and the end of what is reserved; zeros where nobody entered.
    #[must_use]
    pub fn numbers(&self, lane: Lane) -> (u64, u64, u64) {
        let entrants = self.entrants(lane);
        let first = self.first.get(index(lane)).copied();
        let reserved = self.reserved.get(index(lane)).copied();
        match (entrants, first, reserved) {
            (1.., Some(first), Some(reserved)) => (first, first + entrants, reserved),
            _ => (0, 0, 0),
        }
    }

    /// Whether a number is a place, not an entry: known from the moment the draw began, also while it is repeated.
    #[must_use]
    pub fn is_place(&self, spot: Spot) -> bool {
        spot.seq >= self.entrants(spot.lane)
    }

    /// The place of an entry; `None` for what is a place already.
    #[must_use]
    pub fn place(&self, entry: Spot, ranks: &Ranks) -> Option<Spot> {
        let of_lane = ranks.0.get(index(entry.lane))?;
        let rank = of_lane.get(usize::try_from(entry.seq).ok()?)?;
        let (first, ..) = self.numbers(entry.lane);
        Some(Spot {
            lane: entry.lane,
            seq: first + u64::from(*rank),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_places_and_places_stay() {
        let draw = Draw {
            entrants: [3, 0, 1],
            first: [65_536, 0, 131_072],
            reserved: [131_072, 0, 196_608],
            done: false,
        };
        let ranks = Ranks::of(&[1; 32], &draw);
        let spot = |lane, seq| Spot { lane, seq };
        let places: Vec<Spot> = (0..3)
            .map(|seq| draw.place(spot(Lane::General, seq), &ranks).unwrap())
            .collect();
        let mut seqs: Vec<u64> = places.iter().map(|place| place.seq).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, [65_536, 65_537, 65_538]);
        for place in places {
            assert!(draw.is_place(place));
            assert_eq!(draw.place(place, &ranks), None);
        }
        assert!(!draw.is_place(spot(Lane::General, 2)));
        assert!(draw.is_place(spot(Lane::General, 3)), "joined behind");
        assert!(draw.is_place(spot(Lane::Presale, 0)));
        assert_eq!(draw.numbers(Lane::Presale), (0, 0, 0));
        let only = draw.place(spot(Lane::Access, 0), &ranks);
        assert_eq!(only, Some(spot(Lane::Access, 131_072)));
    }
}
