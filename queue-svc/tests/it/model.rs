//! The line as plain collections: what the functions in Redis have to agree with, answer by answer.

mod slots;

use std::collections::{BTreeMap, BTreeSet};

use queue_svc::domain::lane::{Lane, Spot};
use queue_svc::line::{Millis, Mode, Session, Settings, Standing, Told};

/// People in line at once: few enough that it is reached.
pub(crate) const WAITING_MAX: usize = 18;

/// A slot.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Offer {
        ends: Millis,
    },
    Pass {
        session: Session,
        start: Millis,
        left: bool,
        ends: Millis,
    },
}

impl Slot {
    fn ends(self) -> Millis {
        match self {
            Self::Offer { ends } | Self::Pass { ends, .. } => ends,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct LaneModel {
    next: u64,
    end: u64,
    first: u64,
    head: u64,
    credit: i64,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    Offered(Millis),
    Admitted(Session),
    Gone,
    Late,
    Grace,
}

/// The line of one room.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) now: Millis,
    pub(crate) settings: Option<Settings>,
    hold: Millis,
    /// Thousandths of an admission.
    earned: i64,
    earned_at: Millis,
    lanes: BTreeMap<Lane, LaneModel>,
    late_credit: i64,
    accounts: BTreeMap<u32, Spot>,
    waiting: BTreeSet<Spot>,
    gone: BTreeSet<Spot>,
    late: Vec<Spot>,
    grace: BTreeMap<Spot, Millis>,
    slots: BTreeMap<Spot, Slot>,
}

fn millis(time: std::time::Duration) -> Millis {
    i64::try_from(time.as_millis()).unwrap()
}

impl Model {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            now,
            settings: None,
            hold: 0,
            earned: 0,
            earned_at: 0,
            lanes: Lane::ALL.map(|lane| (lane, LaneModel::default())).into(),
            late_credit: 0,
            accounts: BTreeMap::new(),
            waiting: BTreeSet::new(),
            gone: BTreeSet::new(),
            late: Vec::new(),
            grace: BTreeMap::new(),
            slots: BTreeMap::new(),
        }
    }

    fn refill(&mut self) {
        let Some(settings) = &self.settings else {
            return;
        };
        let gained = (self.now - self.earned_at).max(0) * i64::from(settings.rate);
        self.earned = (self.earned + gained).min(i64::from(settings.burst) * 1000);
        self.earned_at = self.now.max(self.earned_at);
    }

    pub(crate) fn configure(&mut self, settings: &Settings) {
        if self.settings.is_some() {
            self.refill();
        } else {
            self.earned = 0;
            self.earned_at = self.now;
        }
        self.earned = self.earned.min(i64::from(settings.burst) * 1000);
        self.settings = Some(settings.clone());
    }

    pub(crate) fn recover(&mut self, hold: Millis, firsts: [u64; 3], ends: [u64; 3]) {
        self.hold = self.now + hold;
        self.earned = 0;
        self.earned_at = self.now;
        for ((model, first), end) in self.lanes.values_mut().zip(firsts).zip(ends) {
            (model.next, model.first, model.end) = (first, first, end);
        }
    }

    /// The server forgot everything.
    pub(crate) fn lose(&mut self) {
        *self = Self::new(self.now);
    }

    pub(crate) fn reserve(&mut self, lane: Lane, end: u64) {
        let model = self.lanes.get_mut(&lane).unwrap();
        model.end = model.end.max(end);
    }

    fn place(&self, spot: Spot) -> Option<Place> {
        if self.waiting.contains(&spot) {
            return Some(Place::Waiting);
        }
        if let Some(slot) = self.slots.get(&spot) {
            return match *slot {
                Slot::Offer { ends } if self.now < ends => Some(Place::Offered(ends)),
                Slot::Pass { left: true, .. } => None,
                Slot::Pass { session, .. } if self.now < session.pass_ends => {
                    Some(Place::Admitted(session))
                }
                Slot::Pass { session, .. } if session.ends <= self.now => None,
                _ if self.late.contains(&spot) => Some(Place::Late),
                _ => Some(Place::Grace),
            };
        }
        if self.gone.contains(&spot) {
            Some(Place::Gone)
        } else if self.late.contains(&spot) {
            Some(Place::Late)
        } else {
            let kept = self.grace.get(&spot).is_some_and(|until| *until > self.now);
            kept.then_some(Place::Grace)
        }
    }

    fn told(&self, spot: Spot, place: Option<Place>) -> Told {
        let standing = match place {
            Some(Place::Waiting) => Standing::Waiting,
            Some(Place::Late) => Standing::Late,
            Some(Place::Offered(until)) => Standing::Offered { until },
            Some(Place::Admitted(session)) => Standing::Admitted(session),
            Some(Place::Gone | Place::Grace) => panic!("{spot:?} is not back"),
            None => Standing::Ended,
        };
        Told {
            spot: Some(spot),
            standing,
        }
    }

    /// In line from its number on, or late when its turn is over.
    fn stand(&mut self, spot: Spot) -> Place {
        if spot.seq >= self.lanes[&spot.lane].head {
            self.waiting.insert(spot);
            Place::Waiting
        } else {
            self.late.push(spot);
            Place::Late
        }
    }

    fn revived(&mut self, spot: Spot) -> Option<Place> {
        match self.place(spot) {
            Some(Place::Gone) => {
                self.gone.remove(&spot);
                Some(self.stand(spot))
            }
            Some(Place::Grace) => {
                self.grace.remove(&spot);
                if !self.late.contains(&spot) {
                    self.late.push(spot);
                }
                Some(Place::Late)
            }
            place => place,
        }
    }

    fn mode(&self) -> Option<Mode> {
        self.settings.as_ref().map(|settings| settings.mode)
    }

    /// Whether an account joined anew after a loss and waits, while a ticket proves a place of before.
    fn is_newcomer(&self, own: Spot, place: Option<Place>, old: Spot) -> bool {
        place == Some(Place::Waiting)
            && own.seq >= self.lanes[&own.lane].first
            && old.seq < self.lanes[&old.lane].first
    }

    fn adopt(&mut self, account: u32, spot: Spot) -> Told {
        self.accounts.insert(account, spot);
        let place = self.stand(spot);
        self.told(spot, Some(place))
    }

    pub(crate) fn join(&mut self, account: u32, lane: Lane, adopt: Option<Spot>) -> Told {
        let known = self.accounts.get(&account).copied();
        let place = known.and_then(|spot| self.revived(spot));
        let adopt = adopt.filter(|spot| {
            self.mode() != Some(Mode::Closed) && spot.seq < self.lanes[&spot.lane].next
        });
        match (known, place, adopt) {
            (None, _, Some(spot)) => self.adopt(account, spot),
            (Some(own), place, Some(spot)) if self.is_newcomer(own, place, spot) => {
                self.waiting.remove(&own);
                self.adopt(account, spot)
            }
            (Some(own), Some(place), _) => self.told(own, Some(place)),
            (_, None, _) | (None, Some(_), None) => self.enter(account, lane),
        }
    }

    fn enter(&mut self, account: u32, lane: Lane) -> Told {
        let mode = self.mode().unwrap_or(Mode::Closed);
        if !matches!(mode, Mode::Open | Mode::Armed | Mode::Paused) {
            return Told {
                spot: None,
                standing: Standing::Refused(mode),
            };
        }
        let model = self.lanes.get_mut(&lane).unwrap();
        if model.next >= model.end {
            return Told {
                spot: None,
                standing: Standing::Exhausted(lane),
            };
        }
        let full = self.waiting.len() + self.late.len() >= WAITING_MAX;
        let model = self.lanes.get_mut(&lane).unwrap();
        if full {
            return Told {
                spot: None,
                standing: Standing::Full,
            };
        }
        let spot = Spot {
            lane,
            seq: model.next,
        };
        model.next += 1;
        self.accounts.insert(account, spot);
        let settings = self.settings.clone().unwrap();
        let nobody = self.waiting.is_empty() && self.late.is_empty();
        let free = self.slots.len() < usize::try_from(settings.capacity).unwrap();
        if mode == Mode::Open && self.now >= self.hold && nobody && free {
            let before = (self.earned, self.earned_at);
            self.refill();
            if self.earned >= 1000 {
                self.earned -= 1000;
                self.lanes.get_mut(&lane).unwrap().head = spot.seq + 1;
                let session = self.issue(spot, 1, self.now + millis(settings.session));
                return self.told(spot, Some(Place::Admitted(session)));
            }
            (self.earned, self.earned_at) = before;
        }
        self.waiting.insert(spot);
        self.told(spot, Some(Place::Waiting))
    }

    fn issue(&mut self, spot: Spot, pass: u64, ends: Millis) -> Session {
        let settings = self.settings.as_ref().unwrap();
        let pass_ends = (self.now + millis(settings.pass)).min(ends) / 1000 * 1000;
        let session = Session {
            pass,
            pass_ends,
            ends,
        };
        let ends = pass_ends + 2 * millis(settings.skew);
        let left = false;
        let start = match self.slots.get(&spot) {
            Some(Slot::Pass { start, .. }) => *start,
            _ => self.now,
        };
        self.slots.insert(
            spot,
            Slot::Pass {
                session,
                start,
                left,
                ends,
            },
        );
        session
    }

    pub(crate) fn touch(&mut self, account: u32, spot: Spot, adopt: bool) -> Told {
        let known = self.accounts.get(&account).copied();
        let place = known.and_then(|spot| self.revived(spot));
        let closed = self.mode() == Some(Mode::Closed);
        let may_adopt = adopt && !closed && spot.seq < self.lanes[&spot.lane].next;
        match known {
            Some(known) if known == spot => self.told(spot, place),
            None if may_adopt => self.adopt(account, spot),
            Some(own) if may_adopt && self.is_newcomer(own, place, spot) => {
                self.waiting.remove(&own);
                self.adopt(account, spot)
            }
            _ => self.told(spot, None),
        }
    }

    /// Everybody of a lane and chunk who is not in `heard` is gone.
    pub(crate) fn reap(&mut self, lane: Lane, chunk: u64, heard: &BTreeSet<Spot>) -> u64 {
        let silent: Vec<Spot> = self
            .waiting
            .iter()
            .filter(|spot| spot.lane == lane && spot.seq / queue_svc::line::CHUNK == chunk)
            .filter(|spot| !heard.contains(spot))
            .copied()
            .collect();
        for spot in &silent {
            self.waiting.remove(spot);
            self.gone.insert(*spot);
        }
        u64::try_from(silent.len()).unwrap()
    }

    pub(crate) fn slots(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap()
    }

    /// Position of everybody who waits.
    pub(crate) fn positions(&self) -> BTreeMap<Spot, (u64, bool)> {
        let mut positions = BTreeMap::new();
        for lane in Lane::ALL {
            let line = self.waiting.iter().filter(|spot| spot.lane == lane);
            for (before, spot) in (1..).zip(line) {
                positions.insert(*spot, (before, false));
            }
        }
        for (before, spot) in (1..).zip(&self.late) {
            positions.insert(*spot, (before, true));
        }
        positions
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = Spot> {
        self.waiting.iter().copied()
    }
}
