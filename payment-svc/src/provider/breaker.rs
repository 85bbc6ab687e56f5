//! A breaker a provider: while the provider does not answer, calls fail at once instead of holding a buyer for 30 s each.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Calls in a row without an answer after which the provider counts as away: a few may be bad luck.
const FAILURES_MAX: u32 = 5;
/// Time until one call may try again; doubled after each failed try up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(2);
/// Longest time until the next try: a provider that is back is noticed within half a minute.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A try that never reports is forgotten after this long: longer than any call.
const TRIAL_MAX: Duration = Duration::from_secs(45);

/// Lets calls through while the provider answers.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    shut_until: Option<Instant>,
}

impl Breaker {
    /// Whether a call may be made at `now`. Of many callers after a pause one gets through; its report decides for the others.
    pub(super) fn permits(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.shut_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.shut_until = Some(now + TRIAL_MAX);
                true
            }
        }
    }

    /// The provider answered, whatever it said.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::default();
    }

    /// The provider did not answer at `now`.
    pub(super) fn silent(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            let doublings = (state.failures - FAILURES_MAX).min(10);
            let pause = PAUSE
                .saturating_mul(2_u32.saturating_pow(doublings))
                .min(PAUSE_MAX);
            state.shut_until = Some(now + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_after_silence_lets_one_try_and_opens_on_an_answer() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.permits(now));
            breaker.silent(now);
        }
        assert!(!breaker.permits(now));
        now += PAUSE;
        assert!(breaker.permits(now), "one try");
        assert!(!breaker.permits(now), "and no second");
        breaker.silent(now);
        assert!(!breaker.permits(now + PAUSE), "the pause has doubled");
        now += 2 * PAUSE;
        assert!(breaker.permits(now));
        breaker.answered();
        assert!(breaker.permits(now) && breaker.permits(now));
    }

    #[test]
    fn an_answer_between_silences_starts_the_count_again() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..20 {
            (0..FAILURES_MAX - 1).for_each(|_| breaker.silent(now));
            breaker.answered();
        }
        assert!(breaker.permits(now));
    }

    #[test]
    fn a_try_that_never_reports_does_not_close_it_for_ever() {
        let breaker = Breaker::default();
        let now = Instant::now();
        (0..FAILURES_MAX).for_each(|_| breaker.silent(now));
        assert!(breaker.permits(now + PAUSE));
        assert!(breaker.permits(now + PAUSE + TRIAL_MAX));
    }
}
