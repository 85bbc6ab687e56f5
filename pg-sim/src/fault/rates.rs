//! Faults drawn by chance. A draw depends on the seed, the order, the request and how many of its kind came before, so that a run
//! repeats exactly whatever the interleaving.

use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use super::{Fault, FaultSpec, Operation};

/// A rate is a share of this many requests.
const MILLION: u64 = 1_000_000;
/// Rates of one process: more than there are kinds of fault.
const RATES_MAX: usize = 64;
/// Owner of every draw.
const DRAWS: Uuid = Uuid::from_u128(0x0d6f_9c2e_34a1_4b6c_8f0e_51aa_77d0_2b49);

/// One rate: `<fault as JSON>@<firings per million requests>`.
#[derive(Clone, Debug)]
struct Rate {
    on: Operation,
    fault: Fault,
    name: String,
    per_million: u64,
}

/// The rates of a process; none by default.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    seed: u64,
    rates: Vec<Rate>,
}

/// Why rates cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RatesError {
    /// Not a JSON list of pairs.
    #[error("is not a JSON list of [fault, per million] pairs")]
    Shape,
    /// A fault that cannot fire, or one about the content of an answer: those are armed for an order.
    #[error("rate {0} is no fault of the transport")]
    Fault(usize),
    /// More than every request.
    #[error("rate {0} is above a million")]
    TooHigh(usize),
    /// Too many.
    #[error("holds more than {RATES_MAX} rates")]
    TooMany,
}

impl FromStr for Rates {
    type Err = RatesError;

    fn from_str(text: &str) -> Result<Self, RatesError> {
        let pairs: Vec<(FaultSpec, u64)> =
            serde_json::from_str(text).map_err(|_| RatesError::Shape)?;
        if pairs.len() > RATES_MAX {
            return Err(RatesError::TooMany);
        }
        let rates = pairs
            .into_iter()
            .enumerate()
            .map(|(index, (spec, per_million))| read(index, &spec, per_million));
        Ok(Self {
            seed: 0,
            rates: rates.collect::<Result<_, _>>()?,
        })
    }
}

fn read(index: usize, spec: &FaultSpec, per_million: u64) -> Result<Rate, RatesError> {
    let fault = spec
        .read()
        .ok()
        .filter(|fault| !fault.is_twist())
        .ok_or(RatesError::Fault(index))?;
    if per_million > MILLION {
        return Err(RatesError::TooHigh(index));
    }
    Ok(Rate {
        on: spec.on(),
        name: format!("{index}:{fault:?}"),
        fault,
        per_million,
    })
}

impl Rates {
    /// The same rates with another seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The first fault that `wanted` picks and chance chooses for the `nth` request of its kind to `order_id`.
    pub(super) fn draw(
        &self,
        on: Operation,
        order_id: &str,
        nth: u32,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        let candidates = self
            .rates
            .iter()
            .filter(|rate| rate.on == on && wanted(&rate.fault));
        let mut hits = candidates
            .filter(|rate| share(self.seed, order_id, on, nth, &rate.name) < rate.per_million);
        hits.next().map(|rate| rate.fault.clone())
    }
}

/// A number below a million that follows from its arguments alone: the first six bytes of a UUIDv5 are plain hash.
fn share(seed: u64, order_id: &str, on: Operation, nth: u32, name: &str) -> u64 {
    let draw = mesh::id::derive(DRAWS, format!("{seed}/{order_id}/{on:?}/{nth}/{name}"));
    let hash = draw
        .as_bytes()
        .iter()
        .take(6)
        .fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
    hash % MILLION
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET: &str = r#"[[{"on":"confirm","kind":"reset","when":"after"},250000]]"#;

    fn hits(rates: &Rates) -> Vec<u32> {
        (0..1_000)
            .filter(|nth| {
                rates
                    .draw(Operation::Confirm, "order", *nth, |_| true)
                    .is_some()
            })
            .collect()
    }

    #[test]
    fn a_quarter_fires_and_a_seed_repeats() {
        let rates: Rates = RESET.parse().unwrap();
        let one = hits(&rates.clone().seeded(1));
        assert!((200..300).contains(&one.len()), "{}", one.len());
        assert_eq!(one, hits(&rates.clone().seeded(1)));
        assert_ne!(one, hits(&rates.seeded(2)));
    }

    #[test]
    fn another_request_is_not_drawn() {
        let rates: Rates = RESET.parse().unwrap();
        assert!((0..1_000).all(|nth| {
            rates
                .draw(Operation::Cancel, "order", nth, |_| true)
                .is_none()
        }));
    }

    #[test]
    fn wrong_rates_are_refused() {
        let refused = |text: &str| text.parse::<Rates>().unwrap_err();
        assert_eq!(refused("reset"), RatesError::Shape);
        assert_eq!(
            refused(r#"[[{"on":"cancel","kind":"refuse_cancel"},1]]"#),
            RatesError::Fault(0)
        );
        assert_eq!(
            refused(r#"[[{"on":"confirm","kind":"reset","when":"after"},1000001]]"#),
            RatesError::TooHigh(0)
        );
    }
}
