//! How often one subject and one client address may call one method (GCRA, by the policy's rate).
//!
//! The address is counted before any cryptography is spent, at a multiple of the rate, since many subjects share one. A caller without a
//! token has nothing else to be counted by, so its address counts as its subject too.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use mesh::policy::Rate;
use mesh::status::{RATE_LIMITED, Refusal};
use uuid::Uuid;

/// Keys remembered for one method before those that are quiet are forgotten; about 10 MB.
const KEYS_MAX: usize = 100_000;

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Account(Uuid),
    Address(IpAddr),
}

/// The limiters of one method.
pub(crate) struct Rates {
    subjects: DefaultKeyedRateLimiter<Subject>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
}

impl Rates {
    pub(crate) fn new(rate: Rate, address_factor: NonZeroU32) -> Self {
        Self {
            subjects: RateLimiter::keyed(quota(rate, NonZeroU32::MIN)),
            addresses: RateLimiter::keyed(quota(rate, address_factor)),
        }
    }

    /// Counts a call of an address.
    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        check(
            &self.addresses,
            &network(address),
            "too many calls of this address",
        )
    }

    /// Counts a call of an account, or of the address when there is none.
    pub(crate) fn subject(&self, account: Option<Uuid>, address: IpAddr) -> Result<(), Refusal> {
        let subject = account.map_or_else(|| Subject::Address(network(address)), Subject::Account);
        check(&self.subjects, &subject, "too many calls of this caller")
    }
}

fn check<K: Hash + Eq + Clone>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
    message: &str,
) -> Result<(), Refusal> {
    if limiter.len() > KEYS_MAX {
        limiter.retain_recent();
    }
    let now = DefaultClock::default().now();
    limiter.check_key(key).map_err(|early| {
        RATE_LIMITED
            .refuse(message)
            .retry_after(early.wait_time_from(now))
    })
}

fn quota(rate: Rate, factor: NonZeroU32) -> Quota {
    let each = rate.period / rate.requests.saturating_mul(factor).get();
    let quota = Quota::with_period(each.max(Duration::from_nanos(1)));
    let burst = rate.burst.saturating_mul(factor);
    quota
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

/// One customer of an IPv6 network has a whole /64, so that is what counts.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::V6(Ipv6Addr::from(segments))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    fn rates(burst: u32, factor: u32) -> Rates {
        let period = Duration::from_secs(3600);
        Rates::new(
            Rate {
                requests: number(1),
                period,
                burst: number(burst),
            },
            number(factor),
        )
    }

    #[test]
    fn each_subject_and_each_address_has_its_own_burst() {
        let rates = rates(2, 2);
        let (one, other) = (Some(mesh::id::new()), Some(mesh::id::new()));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let home = address("192.0.2.1");
        assert!(rates.subject(one, home).is_ok() && rates.subject(one, home).is_ok());
        assert!(rates.subject(one, home).is_err());
        assert!(rates.subject(other, home).is_ok());
        // Without a token the address is the subject.
        assert!(rates.subject(None, home).is_ok() && rates.subject(None, home).is_ok());
        assert!(rates.subject(None, home).is_err());
        // An address stands for `factor` subjects.
        assert!((0..4).all(|_| rates.address(home).is_ok()));
        assert!(rates.address(home).is_err());
        assert!(rates.address(address("192.0.2.2")).is_ok());
    }

    #[test]
    fn a_network_counts_as_one_address() {
        let same = ["2001:db8::1", "2001:db8::ffff:1"].map(|text| network(text.parse().unwrap()));
        assert_eq!(same[0], same[1]);
        assert_ne!(same[0], network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            "192.0.2.1".parse::<IpAddr>().unwrap()
        );
    }
}
