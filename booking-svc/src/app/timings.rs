//! The saga's timers, with their documented values. `USHER_TIMINGS=test` makes them 100 times shorter, leases 2 s.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::booking::PaymentWindow;

/// How much shorter the timers of a test are.
const TEST_DIVISOR: u32 = 100;

/// Timers of booking-svc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTimings {
    /// Holds live this many times shorter than their show says.
    pub hold_divisor: u32,
    /// Windows of a payment: 10 min, never under 1 min, ended 2 min before the hold must.
    pub payment: PaymentWindow,
    /// A buyer whose payment was declined for good keeps the units for at least this long.
    pub after_decline: Duration,
    /// Beyond a hold's longest life a payment of unknown outcome keeps the units for this much more.
    pub unknown_max: Duration,
    /// After its deadline a payment is asked about, first after this time.
    pub ask_after: Duration,
    /// Instances look for due sagas and overdue holds this often; most are woken before.
    pub sweep: Duration,
    /// An instance that dies leaves its sagas to others after this time.
    pub lease: Duration,
    /// Pause after a failed attempt, doubled up to [`BookTimings::retry_cap`].
    pub retry_base: Duration,
    /// Longest pause between attempts.
    pub retry_cap: Duration,
    /// A step towards the sale that still fails this long after its saga was opened is laid aside for a person.
    pub park_after: Duration,
    /// A confirmed booking without tickets is reminded of them this often.
    pub tickets_after: Duration,
}

impl BookTimings {
    /// The documented values.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            hold_divisor: 1,
            payment: PaymentWindow {
                longest: Duration::from_secs(600),
                shortest: Duration::from_secs(60),
                before_max_expire: Duration::from_secs(120),
            },
            after_decline: Duration::from_secs(60),
            unknown_max: Duration::from_secs(30 * 60),
            ask_after: Duration::from_secs(10),
            sweep: Duration::from_secs(1),
            lease: Duration::from_secs(30),
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_secs(60),
            park_after: Duration::from_secs(24 * 3_600),
            tickets_after: Duration::from_secs(60),
        }
    }

    /// For tests that see minutes pass.
    #[must_use]
    pub fn test() -> Self {
        let standard = Self::standard();
        let shorter = |duration: Duration| duration / TEST_DIVISOR;
        Self {
            hold_divisor: TEST_DIVISOR,
            payment: PaymentWindow {
                longest: shorter(standard.payment.longest),
                shortest: shorter(standard.payment.shortest),
                before_max_expire: shorter(standard.payment.before_max_expire),
            },
            after_decline: shorter(standard.after_decline),
            unknown_max: shorter(standard.unknown_max),
            ask_after: shorter(standard.ask_after),
            sweep: shorter(standard.sweep).max(Duration::from_millis(20)),
            lease: Duration::from_secs(2),
            retry_base: shorter(standard.retry_base),
            retry_cap: shorter(standard.retry_cap),
            park_after: shorter(standard.park_after),
            tickets_after: shorter(standard.tickets_after),
        }
    }
}

impl FromStr for BookTimings {
    type Err = Infallible;

    /// The preset of this name; `mesh::timings` refuses unknown names.
    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(if name == "test" {
            Self::test()
        } else {
            Self::standard()
        })
    }
}
