//! The lottery: whoever enters before a room opens gets a place by chance, and anybody can check afterwards that it was chance.
//!
//! A seed of 32 bytes is made with the room. Its SHA-256 is published at once; the seed itself with the draw. Entries of a lane are numbered
//! from 1 in order of arrival. The ranks of `n` entries are a Fisher-Yates shuffle of 1..n by the numbers that the seed yields:
//!
//! - block `i` (from 0) of a lane is SHA-256(`"usher lottery 1"`, seed, lane number as one byte, `i` as eight bytes, big endian); it is read as
//!   four numbers of eight bytes, big endian;
//! - for `k` from `n` down to 2, `j` is the next number that is below the largest multiple of `k` in 64 bits, modulo `k`; ranks at `k` and
//!   `j + 1` are swapped;
//! - the entry `e` has the rank that stands at `e` in the end.

use std::num::NonZeroU64;

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::lane::Lane;

/// Bytes of a seed: nobody guesses it, and nobody finds another one of the same commitment.
pub const SEED_BYTES: usize = 32;
/// What every block begins with, so that the seed yields nothing else elsewhere.
const DOMAIN: &[u8] = b"usher lottery 1";

/// What decides a draw.
pub type Seed = [u8; SEED_BYTES];

/// What is published of a seed before the draw.
#[must_use]
pub fn commitment(seed: &Seed) -> [u8; 32] {
    first_32(digest(&SHA256, seed).as_ref())
}

/// The ranks of `entries` entries of a lane, both from 0: the rank of an entry stands at its number.
#[must_use]
pub fn ranks(seed: &Seed, lane: Lane, entries: u32) -> Vec<u32> {
    let mut ranks: Vec<u32> = (0..entries).collect();
    let mut numbers = Numbers::new(seed, lane);
    for last in (1..ranks.len()).rev() {
        let Some(count) = u64::try_from(last + 1).ok().and_then(NonZeroU64::new) else {
            break;
        };
        let other = numbers.below(count);
        ranks.swap(last, usize::try_from(other).unwrap_or(last));
    }
    ranks
}

/// What a seed yields for a lane.
struct Numbers<'a> {
    seed: &'a Seed,
    lane: u8,
    next_block: u64,
    block: [u8; 32],
    used: usize,
}

impl<'a> Numbers<'a> {
    fn new(seed: &'a Seed, lane: Lane) -> Self {
        Self {
            seed,
            lane: lane.number(),
            next_block: 0,
            block: [0; 32],
            used: 32,
        }
    }

    fn next(&mut self) -> u64 {
        if self.used == self.block.len() {
            let mut context = Context::new(&SHA256);
            context.update(DOMAIN);
            context.update(self.seed);
            context.update(&[self.lane]);
            context.update(&self.next_block.to_be_bytes());
            self.block = first_32(context.finish().as_ref());
            self.next_block += 1;
            self.used = 0;
        }
        let mut bytes = self.block.iter().copied().skip(self.used);
        self.used += 8;
        u64::from_be_bytes(std::array::from_fn(|_| bytes.next().unwrap_or_default()))
    }

    /// A number below `count`, each as likely as any other.
    fn below(&mut self, count: NonZeroU64) -> u64 {
        let whole = u64::MAX - (u64::MAX % count + 1) % count;
        loop {
            let number = self.next();
            if number <= whole {
                return number % count;
            }
        }
    }
}

fn first_32(bytes: &[u8]) -> [u8; 32] {
    let mut bytes = bytes.iter().copied();
    std::array::from_fn(|_| bytes.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computed by a program in Python from the words above.
    #[test]
    fn ranks_are_those_of_the_description() {
        let seed: Seed = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(
            ranks(&seed, Lane::General, 10),
            [2, 3, 5, 4, 6, 0, 7, 1, 8, 9]
        );
        assert_eq!(ranks(&seed, Lane::Presale, 5), [4, 2, 3, 1, 0]);
    }

    #[test]
    fn every_order_of_a_small_draw_is_as_likely_as_any_other() {
        let mut counts = std::collections::BTreeMap::new();
        for number in 0..24_000_u64 {
            let mut seed: Seed = [0; SEED_BYTES];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            *counts
                .entry(ranks(&seed, Lane::General, 4))
                .or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // A thousand each; five standard deviations are 155.
        assert!(
            counts.values().all(|count| (845..1_155).contains(count)),
            "{counts:?}"
        );
    }

    proptest! {
        #[test]
        fn each_entry_has_a_rank_of_its_own(seed: Seed, entries in 0_u32..2_000) {
            let mut ranks = ranks(&seed, Lane::Access, entries);
            ranks.sort_unstable();
            prop_assert!(ranks.into_iter().eq(0..entries));
        }

        #[test]
        fn numbers_stay_below_their_bound(seed: Seed, count in 1_u64..) {
            let count = NonZeroU64::new(count).unwrap();
            prop_assert!(Numbers::new(&seed, Lane::General).below(count) < count.get());
        }
    }
}
