//! Timers of this service that mesh does not have. `USHER_TIMINGS=test` makes them 100 times shorter, as it does with mesh's own.

use std::str::FromStr;
use std::time::Duration;

use mesh::timings::{NoSuchPreset, Timings};

use crate::domain::Ladder;

/// How much shorter the timers are in tests.
const TEST_FACTOR: u32 = 100;

/// How much shorter the time to send is: a busy machine still sends within it.
const SEND_FACTOR: u32 = 10;

/// Every timer of the service.
#[derive(Clone, Debug)]
pub struct PaymentTimings {
    /// Timers of mesh.
    pub mesh: Timings,
    /// When an unknown payment is asked about again.
    pub ladder: Ladder,
    /// How often due inquiries, refunds and deadlines are looked for when nobody wakes their sweeper.
    pub poll: Duration,
    /// First pause of a refund without an answer, doubled up to [`Self::refund_pause_max`].
    pub refund_pause: Duration,
    /// Longest pause of a refund without an answer.
    pub refund_pause_max: Duration,
    /// How long after its claim a refund may leave: time for one inquiry. Later another process may have claimed it, parked it and told
    /// that nothing is under way.
    pub refund_send_within: Duration,
}

impl PaymentTimings {
    /// The documented values.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            mesh: Timings::standard(),
            ladder: Ladder::default(),
            poll: Duration::from_secs(1),
            refund_pause: Duration::from_secs(2),
            refund_pause_max: Duration::from_secs(300),
            refund_send_within: Duration::from_secs(40),
        }
    }

    /// A hundred times shorter.
    #[must_use]
    pub fn test() -> Self {
        let standard = Self::standard();
        Self {
            mesh: Timings::test(),
            ladder: Ladder::shortened(TEST_FACTOR),
            poll: standard.poll / TEST_FACTOR,
            refund_pause: standard.refund_pause / TEST_FACTOR,
            refund_pause_max: standard.refund_pause_max / TEST_FACTOR,
            refund_send_within: standard.refund_send_within / SEND_FACTOR,
        }
    }
}

impl FromStr for PaymentTimings {
    type Err = NoSuchPreset;

    fn from_str(name: &str) -> Result<Self, NoSuchPreset> {
        let mesh: Timings = name.parse()?;
        Ok(if mesh == Timings::test() {
            Self::test()
        } else {
            Self::standard()
        })
    }
}
