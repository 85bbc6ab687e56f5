//! How good the told waits are: now and then the last place of a lane is remembered with what it would be told, and looked at again when the head passes it.

use std::collections::VecDeque;
use std::time::Duration;

use super::settings::Millis;

/// How often a forecast is remembered.
const EVERY_MS: Millis = 30_000;
/// Forecasts that wait for their end: those of an hour. Where lines are longer, the oldest ones count.
const OPEN_MAX: usize = 120;

/// What a place was told, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Forecast {
    seq: u64,
    told_at: Millis,
    half: Duration,
    most: Duration,
}

/// What became of a forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The wait as a part of the one that half were to keep below: 1 is exact, more is late.
    pub ratio: f64,
    /// Whether it was longer than the one that nine of ten were to keep below.
    pub missed: bool,
}

/// Forecasts of one lane.
#[derive(Clone, Debug, Default)]
pub struct Forecasts {
    open: VecDeque<Forecast>,
    last: Millis,
}

impl Forecasts {
    /// Remembers what the place `seq` is told at `now`, if it is time for that.
    pub fn note(&mut self, now: Millis, seq: u64, told: Option<(Duration, Duration)>) {
        let Some((half, most)) = told else {
            return;
        };
        let newest = self.open.back().map(|forecast| forecast.seq);
        let due = now - self.last >= EVERY_MS && newest.is_none_or(|newest| newest < seq);
        if due && self.open.len() < OPEN_MAX && !half.is_zero() {
            self.last = now;
            self.open.push_back(Forecast {
                seq,
                told_at: now,
                half,
                most,
            });
        }
    }

    /// What became of the forecasts of places that the head of the lane has passed at `now`.
    pub fn passed(&mut self, now: Millis, head: u64) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(forecast) = self.open.front().filter(|forecast| forecast.seq < head) {
            let waited = u64::try_from(now - forecast.told_at).unwrap_or_default();
            let waited = Duration::from_millis(waited);
            outcomes.push(Outcome {
                ratio: waited.div_duration_f64(forecast.half),
                missed: waited > forecast.most,
            });
            self.open.pop_front();
        }
        outcomes
    }

    /// Another line: nothing of what was told counts any more.
    pub fn clear(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seconds: u64) -> Option<(Duration, Duration)> {
        Some((
            Duration::from_secs(seconds),
            Duration::from_secs(2 * seconds),
        ))
    }

    #[test]
    fn waits_are_compared_with_what_was_told() {
        let mut forecasts = Forecasts::default();
        forecasts.note(100_000, 10, told(60));
        forecasts.note(110_000, 20, told(60));
        forecasts.note(130_000, 10, told(60));
        forecasts.note(130_000, 30, told(20));
        forecasts.note(160_000, 40, None);
        assert_eq!(forecasts.passed(150_000, 10), []);
        let first = Outcome {
            ratio: 0.5,
            missed: false,
        };
        assert_eq!(forecasts.passed(130_000, 11), [first]);
        let second = Outcome {
            ratio: 3.0,
            missed: true,
        };
        assert_eq!(forecasts.passed(190_000, 99), [second]);
        assert_eq!(forecasts.passed(190_000, 99), []);
    }

    #[test]
    fn no_more_than_an_hour_is_remembered() {
        let mut forecasts = Forecasts::default();
        for number in 1..1_000 {
            let seq = u64::try_from(number).unwrap();
            forecasts.note(number * EVERY_MS, seq, told(1));
        }
        assert_eq!(forecasts.passed(0, 1_000).len(), OPEN_MAX);
    }
}
