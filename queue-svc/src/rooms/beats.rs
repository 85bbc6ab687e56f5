//! Heartbeats of an instance: one bit for everybody who was heard from, handed to the line a chunk at a time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::lane::{Lane, Spot};
use crate::line::CHUNK;

/// Chunks that wait at once: a line of ten million has 153. A ticket with another number than any that was issued cannot be made, so more
/// are never asked for.
const CHUNKS_MAX: usize = 1_024;

/// Who was heard from since the last hand-over.
#[derive(Debug, Default)]
pub(super) struct Beats(Mutex<HashMap<(Lane, u64), Vec<u8>>>);

impl Beats {
    /// Notes that somebody was heard from.
    pub(super) fn note(&self, spot: Spot) {
        let bit = usize::try_from(spot.seq % CHUNK).unwrap_or_default();
        let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (spot.lane, spot.seq / CHUNK);
        if chunks.len() >= CHUNKS_MAX && !chunks.contains_key(&key) {
            return;
        }
        let bytes = chunks.entry(key).or_default();
        if bytes.len() <= bit / 8 {
            bytes.resize(bit / 8 + 1, 0);
        }
        // Redis numbers bits from the highest of the first byte.
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte |= 0x80 >> (bit % 8);
        }
    }

    /// Takes everything, to hand it over.
    pub(super) fn take(&self) -> HashMap<(Lane, u64), Vec<u8>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be handed over.
    pub(super) fn give_back(&self, key: (Lane, u64), bits: Vec<u8>) {
        let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = chunks.entry(key).or_default();
        if bytes.len() < bits.len() {
            bytes.resize(bits.len(), 0);
        }
        for (to, from) in bytes.iter_mut().zip(bits) {
            *to |= from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_redis_and_come_back_together() {
        let beats = Beats::default();
        let spot = |seq| Spot {
            lane: Lane::General,
            seq,
        };
        for seq in [0, 9, CHUNK + 7] {
            beats.note(spot(seq));
        }
        let mut taken = beats.take();
        assert_eq!(taken.remove(&(Lane::General, 0)), Some(vec![0x80, 0x40]));
        assert_eq!(taken.remove(&(Lane::General, 1)), Some(vec![0x01]));
        assert!(taken.is_empty());
        beats.note(spot(1));
        beats.give_back((Lane::General, 0), vec![0x80, 0x40]);
        assert_eq!(
            beats.take().remove(&(Lane::General, 0)),
            Some(vec![0xc0, 0x40])
        );
    }
}
