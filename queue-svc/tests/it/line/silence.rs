//! Heartbeats, and who is gone without them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use queue_svc::domain::lane::{Lane, Spot};
use queue_svc::line::{CHUNK, Millis, Silence};

use super::ACCOUNTS;
use super::play::Play;

const SILENCE: Silence = Silence {
    pause: Duration::from_secs(10),
    least: Duration::from_secs(30),
    slack: Duration::from_secs(5),
    pause_max: Duration::from_secs(40),
};
/// How long after a cut of the rate people may have been told the longest pause.
pub(super) const SLOW: Millis = 900_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Period {
    before: BTreeSet<Spot>,
    current: BTreeSet<Spot>,
    pub(super) ends: Millis,
    /// Longest pause that was told in it.
    pause: Option<Duration>,
}

impl Play {
    pub(super) fn heard(&mut self, spot: Spot) {
        let period = self
            .periods
            .entry((spot.lane, spot.seq / CHUNK))
            .or_default();
        period.current.insert(spot);
    }

    /// Who came into line was heard from.
    pub(super) fn stood(&mut self, before: &BTreeSet<Spot>) {
        let new: Vec<Spot> = self
            .model
            .waiting()
            .filter(|spot| !before.contains(spot))
            .collect();
        for spot in new {
            self.heard(spot);
        }
    }

    pub(super) async fn beat(&mut self, accounts: u32) {
        let mut bits: BTreeMap<(Lane, u64), Vec<u8>> = BTreeMap::new();
        let heard = (0..ACCOUNTS).filter(|account| accounts >> account & 1 == 1);
        let tickets: Vec<Spot> = heard.filter_map(|account| self.ticket(account)).collect();
        for spot in tickets {
            self.heard(spot);
            let bit = usize::try_from(spot.seq % CHUNK).unwrap();
            let bytes = bits.entry((spot.lane, spot.seq / CHUNK)).or_default();
            if bytes.len() <= bit / 8 {
                bytes.resize(bit / 8 + 1, 0);
            }
            bytes[bit / 8] |= 0x80 >> (bit % 8);
        }
        for ((lane, chunk), bits) in bits {
            self.stage
                .line
                .beat(self.generation, lane, chunk, bits)
                .await
                .unwrap();
        }
    }

    pub(super) async fn reap(&mut self, lane: Lane) -> Result<(), TestCaseError> {
        let chunks: BTreeSet<u64> = self
            .model
            .waiting()
            .filter(|spot| spot.lane == lane)
            .map(|spot| spot.seq / CHUNK)
            .collect();
        for chunk in chunks {
            let now = self.model.now;
            let period = self.periods.entry((lane, chunk)).or_default();
            let mut expected = 0;
            if now >= period.ends {
                let heard: BTreeSet<Spot> = &period.before | &period.current;
                let known = period.ends > 0;
                period.before = std::mem::take(&mut period.current);
                let pause = if now < self.slow {
                    SILENCE.pause_max
                } else {
                    SILENCE.pause
                };
                let longest = pause.max(period.pause.unwrap_or(SILENCE.pause));
                period.pause = Some(pause);
                let length = SILENCE.least.max(longest + SILENCE.slack);
                period.ends = now + i64::try_from(length.as_millis()).unwrap();
                if known {
                    expected = self.model.reap(lane, chunk, &heard);
                }
            }
            let reap = self.stage.line.reap(self.generation, lane, chunk, SILENCE);
            prop_assert_eq!(reap.await.unwrap(), expected);
        }
        Ok(())
    }
}
