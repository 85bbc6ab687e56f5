//! The seam for randomness.

use std::time::Duration;

use rand::RngExt;

/// Fresh random bytes from the operating system's generator, fit for secrets.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

/// Full jitter: a random time in `0..=limit`, so that many who wait for one thing do not come back together.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
#[must_use]
pub fn jitter(limit: Duration) -> Duration {
    limit.mul_f64(rand::rng().random_range(0.0..=1.0))
}

/// A number below `limit`; 0 when that is 0.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub fn below(limit: usize) -> usize {
    match limit {
        0 => 0,
        limit => rand::rng().random_range(0..limit),
    }
}

/// Waiting time before attempt `attempt` (from 0): `base` doubled each time up to `cap`, half of it fixed and half random.
#[must_use]
pub fn backoff(attempt: u32, base: Duration, cap: Duration) -> Duration {
    let full = base.saturating_mul(2_u32.saturating_pow(attempt)).min(cap);
    let half = full / 2;
    half + jitter(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_is_capped() {
        let base = Duration::from_millis(100);
        let cap = Duration::from_secs(2);
        for attempt in 0..80 {
            let wait = backoff(attempt, base, cap);
            let full = base.saturating_mul(2_u32.saturating_pow(attempt)).min(cap);
            assert!(
                wait >= full / 2 && wait <= full,
                "attempt {attempt}: {wait:?}"
            );
        }
    }
}
