//! The checker of histories: it knows nothing but what clients were told, and when.

use std::collections::{BTreeMap, BTreeSet};

use queue_svc::domain::lane::Spot;
use queue_svc::line::Millis;

/// What somebody was told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A number was issued to an account.
    Issued { account: u32, spot: Spot },
    /// Somebody was given a slot, offered or with a pass.
    Admitted { at: Millis },
    /// A pass, good for `[at, until)`.
    Pass {
        at: Millis,
        until: Millis,
        spot: Spot,
    },
}

/// What all of it has to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Passes at once. It does not change in a history that is checked for it.
    pub(crate) capacity: usize,
    /// Admissions a second.
    pub(crate) rate: u64,
    /// Admissions at once.
    pub(crate) burst: u64,
}

/// Everything a history breaks, in words.
pub(crate) fn broken(history: &[Event], bounds: Bounds) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(capacity(history, bounds.capacity));
    found.extend(rate(history, bounds));
    found.extend(uniqueness(history));
    found
}

/// Passes valid at any instant: a renewed pass and its follower are one person's.
fn capacity(history: &[Event], capacity: usize) -> Option<String> {
    // At each end of an interval before the beginnings of the same instant: intervals are half open.
    let mut edges: Vec<(Millis, bool, Spot)> = Vec::new();
    for event in history {
        if let Event::Pass { at, until, spot } = *event {
            edges.push((at, true, spot));
            edges.push((until, false, spot));
        }
    }
    edges.sort_by_key(|(at, begins, _)| (*at, *begins));
    let mut valid: BTreeMap<Spot, u32> = BTreeMap::new();
    for (at, begins, spot) in edges {
        let passes = valid.entry(spot).or_default();
        if begins {
            *passes += 1;
        } else {
            *passes -= 1;
        }
        if *passes == 0 {
            valid.remove(&spot);
        }
        if valid.len() > capacity {
            return Some(format!("{} passes for {capacity} at {at}", valid.len()));
        }
    }
    None
}

/// Admissions in any window.
fn rate(history: &[Event], bounds: Bounds) -> Option<String> {
    let mut times: Vec<Millis> = Vec::new();
    for event in history {
        if let Event::Admitted { at } = event {
            times.push(*at);
        }
    }
    times.sort_unstable();
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let admitted = u64::try_from(last - first + 1).unwrap();
            let window = u64::try_from(to - from).unwrap();
            if admitted * 1000 > bounds.burst * 1000 + bounds.rate * window {
                return Some(format!(
                    "{admitted} admitted within {window} ms from {from}"
                ));
            }
        }
    }
    None
}

/// No number is two accounts'.
fn uniqueness(history: &[Event]) -> Option<String> {
    let mut owners: BTreeMap<Spot, BTreeSet<u32>> = BTreeMap::new();
    for event in history {
        if let Event::Issued { account, spot } = event {
            owners.entry(*spot).or_default().insert(*account);
        }
    }
    let twice = owners.into_iter().find(|(_, accounts)| accounts.len() > 1);
    twice.map(|(spot, accounts)| format!("{spot:?} is of accounts {accounts:?}"))
}

mod tests {
    use queue_svc::domain::lane::Lane;

    use super::*;

    fn spot(seq: u64) -> Spot {
        Spot {
            lane: Lane::General,
            seq,
        }
    }

    const BOUNDS: Bounds = Bounds {
        capacity: 1,
        rate: 10,
        burst: 2,
    };

    #[test]
    fn what_is_allowed_is_not_found() {
        let history = [
            Event::Issued {
                account: 1,
                spot: spot(0),
            },
            Event::Issued {
                account: 1,
                spot: spot(0),
            },
            Event::Admitted { at: 0 },
            Event::Admitted { at: 0 },
            Event::Admitted { at: 100 },
            Event::Pass {
                at: 0,
                until: 100,
                spot: spot(0),
            },
            Event::Pass {
                at: 50,
                until: 150,
                spot: spot(0),
            },
            Event::Pass {
                at: 150,
                until: 200,
                spot: spot(1),
            },
        ];
        assert_eq!(broken(&history, BOUNDS), Vec::<String>::new());
    }

    #[test]
    fn each_breach_is_found() {
        let over = [
            Event::Pass {
                at: 0,
                until: 100,
                spot: spot(0),
            },
            Event::Pass {
                at: 99,
                until: 150,
                spot: spot(1),
            },
        ];
        assert_eq!(broken(&over, BOUNDS), ["2 passes for 1 at 99"]);
        let fast = [0, 0, 99].map(|at| Event::Admitted { at });
        assert_eq!(broken(&fast, BOUNDS), ["3 admitted within 99 ms from 0"]);
        let twice = [1, 2].map(|account| Event::Issued {
            account,
            spot: spot(7),
        });
        assert_eq!(broken(&twice, BOUNDS).len(), 1);
    }
}
