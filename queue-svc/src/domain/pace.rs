//! How often people are told to ask, and how long they are told to wait.

use std::time::Duration;

use super::room::Phase;
use super::settings::{Millis, Silence};

/// Nobody is told to ask more often: next to the head.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// Nobody is told to ask less often: a million people at this pace are 3,300 polls a second.
pub const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Part of the remaining wait after which somebody asks again.
const PART_OF_WAIT: f64 = 0.1;
/// Told pauses are up to so much longer or shorter, so that people do not come in waves.
pub const JITTER: f64 = 0.3;
/// Longest pause while nobody is admitted.
const PAUSE_IDLE: Duration = Duration::from_secs(30);
/// What a heartbeat may take from the client to Redis: the network, and the collection of heartbeats in an instance.
const SLACK: Duration = Duration::from_secs(30);
/// Windows of the averages, in seconds: one follows changes, the other is calm.
const WINDOWS: [f64; 2] = [30.0, 300.0];
/// No wait is told before so much is known.
const KNOWN_AFTER_MS: Millis = 120_000;
/// Longest wait that is told: what is longer says nothing.
const WAIT_MAX_SECONDS: f64 = 86_400.0;

/// How long whoever stands at `position` is told to be silent, before jitter.
#[must_use]
pub fn pause(position: u64, rate: u32, phase: Phase, silence: Duration) -> Duration {
    let short = idle(silence);
    match phase {
        Phase::Open | Phase::Draining => {
            let wait = as_f64(position) / f64::from(rate.max(1));
            Duration::from_secs_f64((wait * PART_OF_WAIT).min(PAUSE_MAX.as_secs_f64()))
                .max(PAUSE_MIN)
        }
        Phase::NotYetOpen | Phase::Armed | Phase::Paused | Phase::Closed => short,
    }
}

/// A pause that even the shortest period has room for, jitter and slack included.
fn idle(silence: Duration) -> Duration {
    let room = silence.saturating_sub(SLACK).div_f64(1.0 + JITTER);
    room.clamp(PAUSE_MIN, PAUSE_IDLE)
}

/// How long people of a chunk may be silent, of whom the last stands at `position`.
#[must_use]
pub fn silence(position: u64, rate: u32, least: Duration) -> Silence {
    let longest = |pause: Duration| pause.mul_f64(1.0 + JITTER);
    Silence {
        pause: longest(pause(position, rate, Phase::Open, least)),
        least,
        slack: SLACK,
        pause_max: longest(PAUSE_MAX),
    }
}

/// How fast a line moves: two exponential averages of admissions a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    averages: [f64; 2],
    began: Option<Millis>,
    last: Option<(Millis, u64)>,
}

impl Speed {
    /// Takes in how many were admitted until `now`.
    pub fn observe(&mut self, now: Millis, admitted: u64) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, admitted));
            return;
        };
        if now <= then {
            return;
        }
        if admitted < before {
            // A new epoch.
            *self = Self::default();
            self.last = Some((now, admitted));
            return;
        }
        let new = admitted - before;
        if self.began.is_none() {
            if new == 0 {
                self.last = Some((now, admitted));
                return;
            }
            self.began = Some(then);
        }
        let seconds = seconds(now - then);
        let rate = as_f64(new) / seconds;
        for (average, window) in self.averages.iter_mut().zip(WINDOWS) {
            // The first windows are filled by what there is, not by zeros.
            let known = self
                .began
                .map_or(window, |began| window_of(now - began, window));
            *average += (rate - *average) * (1.0 - (-seconds / known).exp());
        }
        self.last = Some((now, admitted));
    }

    /// Admissions a second over the last half minute.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.averages[0]
    }

    /// Waits that half and nine of ten keep below, with `ahead` people in front; `None` while too little is known.
    #[must_use]
    pub fn wait(&self, ahead: u64) -> Option<(Duration, Duration)> {
        let (began, (now, _)) = (self.began?, self.last?);
        let [fast, calm] = self.averages;
        let slow = fast.min(calm);
        if now - began < KNOWN_AFTER_MS || slow <= 0.0 {
            return None;
        }
        let waits = |rate: f64| {
            let seconds = (as_f64(ahead) / rate).min(WAIT_MAX_SECONDS);
            Duration::from_secs_f64(seconds.ceil())
        };
        // Counting processes scatter with the root of what is counted.
        let scatter = 1.0 + 1.28 / (as_f64(ahead) + 1.0).sqrt();
        Some((waits(calm), waits(slow / scatter)))
    }
}

fn window_of(elapsed: Millis, window: f64) -> f64 {
    seconds(elapsed).clamp(1.0, window)
}

fn seconds(ms: Millis) -> f64 {
    as_f64(u64::try_from(ms).unwrap_or(0)) / 1_000.0
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "people and milliseconds are far below 2^53"
)]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SILENCE: Duration = Duration::from_secs(120);

    #[test]
    fn people_near_the_head_ask_often_and_people_far_away_rarely() {
        let pause = |position| pause(position, 100, Phase::Open, SILENCE);
        assert_eq!(pause(1), Duration::from_secs(2));
        assert_eq!(pause(10_000), Duration::from_secs(10));
        assert_eq!(pause(1_000_000), Duration::from_secs(300));
    }

    #[test]
    fn nothing_is_told_before_two_minutes_are_known() {
        let mut speed = Speed::default();
        for second in 0..600 {
            let admitted = u64::try_from(second).unwrap() * 10;
            speed.observe(second * 1_000, admitted);
            if second <= 120 {
                assert_eq!(
                    speed.wait(1_000),
                    (second == 120).then(|| speed.wait(1_000)).flatten()
                );
            }
        }
        let (half, most) = speed.wait(6_000).unwrap();
        assert!((590..=611).contains(&half.as_secs()), "{half:?}");
        assert!(most >= half && most.as_secs() < 660, "{most:?}");
    }

    #[test]
    fn a_line_that_stands_tells_no_wait() {
        let mut speed = Speed::default();
        speed.observe(0, 5);
        for second in 1..1_000 {
            speed.observe(second * 1_000, 5);
        }
        assert_eq!(speed.wait(10), None);
    }

    proptest! {
        /// Whoever does what they are told is never silent for a whole period: see `reap` in `line/functions/silence.lua`.
        #[test]
        fn what_is_told_fits_the_period(position in 1_u64..10_000_000, rate in 1_u32..100_000, silence in 60_u64..600) {
            let least = Duration::from_secs(silence);
            let allowed = super::silence(position, rate, least);
            let period = allowed.least.max(allowed.pause + allowed.slack);
            for phase in [Phase::Open, Phase::Draining, Phase::Armed, Phase::Paused] {
                for nearer in [position, position / 2 + 1, 1] {
                    let told = pause(nearer, rate, phase, least).mul_f64(1.0 + JITTER);
                    prop_assert!(told + SLACK <= period + Duration::from_millis(1), "{:?}", phase);
                }
            }
        }
    }
}
