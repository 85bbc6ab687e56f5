//! The checker of histories: it knows nothing but what clients were told, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use queue_svc::domain::lane::Spot;
use queue_svc::line::{Millis, Standing, Told};

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
        account: u32,
        spot: Spot,
    },
    /// Who asked at `asked` is still in line, in the lane of the number.
    Waits { asked: Millis, spot: Spot },
    /// Who asked at `asked` knew at `told` that a slot is theirs.
    Turn {
        asked: Millis,
        told: Millis,
        spot: Spot,
    },
    /// Within `[from, until]` the server forgot something: who had a turn before may be in line again.
    Lost { from: Millis, until: Millis },
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
    found.extend(order(history));
    found.extend(uniqueness(history));
    found
}

/// That a history has enough in it for each bound to mean something: with a slot or an admission less, or two turns exchanged, it is broken.
pub(crate) fn is_close_to(history: &[Event], bounds: Bounds) {
    let fewer = Bounds {
        capacity: bounds.capacity - 1,
        ..bounds
    };
    assert!(capacity(history, fewer.capacity).is_some(), "never full");
    let slower = Bounds {
        rate: bounds.rate / 2,
        burst: 1,
        ..bounds
    };
    assert!(rate(history, slower).is_some(), "nobody came in quickly");
    let turn = |event: &Event| match *event {
        Event::Turn { spot, .. } => Some(spot),
        _ => None,
    };
    let last = history.iter().filter_map(turn).max().expect("a turn");
    let first = history.iter().find_map(|event| match *event {
        Event::Waits { asked, .. } => Some(asked),
        _ => None,
    });
    let first = first.expect("somebody waited");
    let early = Event::Turn {
        asked: first,
        told: first,
        spot: Spot {
            seq: last.seq + 1,
            ..last
        },
    };
    let history = [history, &[early]].concat();
    assert!(order(&history).is_some(), "nobody waited for long");
}

/// Passes valid at any instant: a renewed pass and its follower are one person's.
fn capacity(history: &[Event], capacity: usize) -> Option<String> {
    // At each end of an interval before the beginnings of the same instant: intervals are half open.
    let mut edges: Vec<(Millis, bool, (u32, Spot))> = Vec::new();
    for event in history {
        if let Event::Pass {
            at,
            until,
            account,
            spot,
        } = *event
            && at < until
        {
            edges.push((at, true, (account, spot)));
            edges.push((until, false, (account, spot)));
        }
    }
    edges.sort_by_key(|(at, begins, _)| (*at, *begins));
    let mut valid: BTreeMap<(u32, Spot), u32> = BTreeMap::new();
    for (at, begins, owner) in edges {
        let passes = valid.entry(owner).or_default();
        if begins {
            *passes += 1;
        } else {
            *passes -= 1;
        }
        if *passes == 0 {
            valid.remove(&owner);
        }
        if valid.len() > capacity {
            return Some(format!("{} passes for {capacity} at {at}", valid.len()));
        }
    }
    None
}

/// Admissions in any window: at most the burst and what the rate earns in it.
fn rate(history: &[Event], bounds: Bounds) -> Option<String> {
    let mut times: Vec<Millis> = Vec::new();
    for event in history {
        if let Event::Admitted { at } = event {
            times.push(*at);
        }
    }
    times.sort_unstable();
    let thousandths = |count: usize| i64::try_from(count * 1_000).unwrap();
    let (burst, rate) = (bounds.burst * 1_000, bounds.rate);
    let (burst, rate) = (i64::try_from(burst).unwrap(), i64::try_from(rate).unwrap());
    // A window begins and ends with an admission; the worst beginning of each is the one with the least spent before it.
    let mut worst: Option<(i64, usize)> = None;
    for (last, to) in times.iter().enumerate() {
        let spent = thousandths(last) - rate * to;
        if worst.is_none_or(|(least, _)| spent < least) {
            worst = Some((spent, last));
        }
        if let Some((least, first)) = worst
            && spent + 1_000 - least > burst
        {
            let (admitted, from) = (last - first + 1, times[first]);
            let window = to - from;
            return Some(format!(
                "{admitted} admitted within {window} ms from {from}"
            ));
        }
    }
    None
}

/// Whoever asks after somebody behind them has had a turn does not wait any more, unless they had one, too, or the server forgot.
fn order(history: &[Event]) -> Option<String> {
    let mut turns: BTreeMap<Spot, Vec<(Millis, Millis)>> = BTreeMap::new();
    let mut losses: Vec<(Millis, Millis)> = Vec::new();
    for event in history {
        match *event {
            Event::Turn { asked, told, spot } => {
                turns.entry(spot).or_default().push((asked, told));
            }
            Event::Lost { from, until } => losses.push((from, until)),
            _ => {}
        }
    }
    for event in history {
        let Event::Waits { asked, spot } = *event else {
            continue;
        };
        let had_one = turns
            .get(&spot)
            .is_some_and(|own| own.iter().any(|(asked_before, _)| *asked_before <= asked));
        if had_one {
            continue;
        }
        let lane_end = Spot {
            seq: u64::MAX,
            ..spot
        };
        for (other, told) in turns
            .range(spot..=lane_end)
            .skip_while(|(other, _)| **other == spot)
        {
            let overtook = told.iter().any(|(began, told)| {
                let lost = losses
                    .iter()
                    .any(|(from, until)| *from <= asked && *until >= *began);
                *told < asked && !lost
            });
            if overtook {
                return Some(format!("{other:?} overtook {spot:?}, who waits at {asked}"));
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

/// What clients note of what they are told.
pub(crate) struct Notes {
    pub(crate) history: Vec<Event>,
    offer: Millis,
    session: Millis,
    /// Ends of the last offers that were told.
    offers: BTreeMap<Spot, Millis>,
    /// Who was told a pass.
    inside: BTreeSet<Spot>,
}

impl Notes {
    /// Of a room whose offers and sessions last so long: what is told of their ends tells when they began.
    pub(crate) fn new(offer: Duration, session: Duration) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap();
        Self {
            history: Vec::new(),
            offer: millis(offer),
            session: millis(session),
            offers: BTreeMap::new(),
            inside: BTreeSet::new(),
        }
    }

    /// What the line itself said at `told` to an account that asked at `asked`.
    pub(crate) fn note(&mut self, account: u32, (asked, told): (Millis, Millis), answer: Told) {
        let Some(spot) = answer.spot else {
            return;
        };
        self.history.push(Event::Issued { account, spot });
        let turn = Event::Turn { asked, told, spot };
        match answer.standing {
            Standing::Waiting => self.history.push(Event::Waits { asked, spot }),
            Standing::Offered { until } => {
                self.history.push(turn);
                let before = self.offers.insert(spot, until);
                // One that still stands is the same, though it may have been made longer.
                if before.is_none_or(|end| end <= asked) {
                    let at = until - self.offer;
                    self.history.push(Event::Admitted { at });
                }
            }
            Standing::Admitted(session) => {
                if self.inside.insert(spot) {
                    self.history.push(turn);
                    if !self.offers.contains_key(&spot) {
                        let at = session.ends - self.session;
                        self.history.push(Event::Admitted { at });
                    }
                }
                self.history.push(Event::Pass {
                    at: told,
                    until: session.pass_ends,
                    account,
                    spot,
                });
            }
            _ => {}
        }
    }

    /// Who was told a pass.
    pub(crate) fn inside(&self) -> &BTreeSet<Spot> {
        &self.inside
    }
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
                account: 1,
                spot: spot(0),
            },
            Event::Pass {
                at: 50,
                until: 150,
                account: 1,
                spot: spot(0),
            },
            Event::Pass {
                at: 150,
                until: 200,
                account: 1,
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
                account: 1,
                spot: spot(0),
            },
            Event::Pass {
                at: 99,
                until: 150,
                account: 1,
                spot: spot(1),
            },
        ];
        assert_eq!(broken(&over, BOUNDS), ["2 passes for 1 at 99"]);
        let fast = [0, 0, 99].map(|at| Event::Admitted { at });
        assert_eq!(broken(&fast, BOUNDS), ["3 admitted within 99 ms from 0"]);
        let later = [0, 1_000, 1_000, 1_050].map(|at| Event::Admitted { at });
        assert_eq!(
            broken(&later, BOUNDS),
            ["3 admitted within 50 ms from 1000"]
        );
        let twice = [1, 2].map(|account| Event::Issued {
            account,
            spot: spot(7),
        });
        assert_eq!(broken(&twice, BOUNDS).len(), 1);
    }

    #[test]
    fn whoever_is_overtaken_is_found() {
        let turn = Event::Turn {
            asked: 5,
            told: 10,
            spot: spot(8),
        };
        let waits = |asked, seq| Event::Waits {
            asked,
            spot: spot(seq),
        };
        let overtaken = [turn, waits(11, 7)];
        let found = broken(&overtaken, BOUNDS);
        assert!(found[0].contains("overtook"), "{found:?}");
        let own = Event::Turn {
            asked: 1,
            told: 2,
            spot: spot(7),
        };
        let lost = Event::Lost { from: 6, until: 7 };
        for fair in [
            [turn, waits(10, 7)].as_slice(),
            &[turn, waits(11, 9)],
            &[turn, waits(11, 8)],
            &[turn, waits(11, 7), own],
            &[turn, waits(11, 7), lost],
        ] {
            assert_eq!(broken(fair, BOUNDS), Vec::<String>::new(), "{fair:?}");
        }
        let before = Event::Lost { from: 3, until: 4 };
        assert_eq!(broken(&[turn, waits(11, 7), before], BOUNDS).len(), 1);
        let other = Spot {
            lane: Lane::Access,
            seq: 7,
        };
        let elsewhere = Event::Waits {
            asked: 11,
            spot: other,
        };
        assert_eq!(broken(&[turn, elsewhere], BOUNDS), Vec::<String>::new());
    }
}
