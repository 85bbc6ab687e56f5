//! Slots of the model: offers, passes, and what becomes of them.

use std::collections::BTreeMap;

use queue_svc::domain::lane::{Lane, Spot};
use queue_svc::line::{Admitted, Millis, Mode, Session, Settings, Told};

use super::{Model, Place, Slot, millis};

impl Model {
    /// How many slots were taken back, and how many offers of them.
    fn purge(&mut self) -> (u32, u32) {
        let settings = self.settings.clone();
        let grace = settings.map_or(0, |settings| millis(settings.grace));
        let now = self.now;
        let over: Vec<(Spot, Slot)> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.ends() <= now)
            .map(|(spot, slot)| (*spot, *slot))
            .collect();
        for (spot, slot) in &over {
            let kept = match slot {
                Slot::Offer { .. } => true,
                Slot::Pass { session, left, .. } => !left && session.ends > now,
            };
            if kept && !self.late.contains(spot) {
                self.grace.insert(*spot, now + grace);
            }
            self.slots.remove(spot);
        }
        self.grace.retain(|_, until| *until > now);
        let offers = over
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Offer { .. }));
        let (all, missed) = (over.len(), offers.count());
        (u32::try_from(all).unwrap(), u32::try_from(missed).unwrap())
    }

    fn first_of(&self, lane: Lane) -> Option<Spot> {
        self.waiting.iter().find(|spot| spot.lane == lane).copied()
    }

    /// Moves the head of a lane to the first who waits; where nobody does, to the end of what was looked at.
    fn walk(&mut self, lane: Lane) -> Option<Spot> {
        let first = self.first_of(lane);
        let model = self.lanes.get_mut(&lane).unwrap();
        model.head = first.map_or(model.head.max(model.next), |spot| spot.seq);
        first
    }

    pub(crate) fn admit(&mut self, most: u32) -> (Admitted, Vec<Spot>) {
        let (purged, missed) = self.purge();
        let used = u32::try_from(self.slots.len()).unwrap();
        let mut offered = Vec::new();
        let settings = self.settings.clone();
        let open = matches!(self.mode(), Some(Mode::Open | Mode::Drain)) && self.now >= self.hold;
        if let (Some(settings), true) = (settings, open) {
            self.refill();
            let earned = u32::try_from(self.earned / 1000).unwrap();
            let grant = most.min(settings.capacity.saturating_sub(used)).min(earned);
            if grant > 0 {
                self.share_out(grant, &settings, &mut offered);
            }
            self.earned -= 1000 * i64::try_from(offered.len()).unwrap();
        }
        let granted = u32::try_from(offered.len()).unwrap();
        let admitted = Admitted {
            granted,
            used: used + granted,
            purged,
            missed,
        };
        (admitted, offered)
    }

    fn share_out(&mut self, grant: u32, settings: &Settings, offered: &mut Vec<Spot>) {
        let mut firsts: BTreeMap<usize, Option<Spot>> = BTreeMap::new();
        let mut credits: Vec<i64> = Vec::new();
        for (index, lane) in Lane::ALL.into_iter().enumerate() {
            let waits = self.first_of(lane).is_some();
            firsts.insert(index, if waits { self.walk(lane) } else { None });
            credits.push(self.lanes[&lane].credit);
        }
        firsts.insert(3, self.late.first().copied());
        credits.push(self.late_credit);
        for _ in 0..grant {
            let mut best: Option<usize> = None;
            let mut total = 0;
            for index in 0..4 {
                if firsts[&index].is_some() {
                    credits[index] += i64::from(settings.weights[index]);
                    total += i64::from(settings.weights[index]);
                    if best.is_none_or(|best| credits[index] > credits[best]) {
                        best = Some(index);
                    }
                }
            }
            let Some(best) = best else {
                break;
            };
            credits[best] -= total;
            let spot = firsts[&best].unwrap();
            if best == 3 {
                self.late.retain(|other| *other != spot);
                firsts.insert(3, self.late.first().copied());
            } else {
                self.waiting.remove(&spot);
                self.lanes.get_mut(&spot.lane).unwrap().head = spot.seq + 1;
                firsts.insert(best, self.walk(spot.lane));
            }
            let ends = self.now + millis(settings.offer);
            self.slots.insert(spot, Slot::Offer { ends });
            offered.push(spot);
        }
        for (index, lane) in Lane::ALL.into_iter().enumerate() {
            let kept = firsts[&index].map_or(0, |_| credits[index]);
            self.lanes.get_mut(&lane).unwrap().credit = kept;
        }
        self.late_credit = firsts[&3].map_or(0, |_| credits[3]);
    }

    pub(crate) fn claim(&mut self, spot: Spot) -> Told {
        let mut place = self.place(spot);
        if let (Some(Place::Offered(until)), Some(settings)) = (place, self.settings.clone()) {
            if settings.mode == Mode::Closed {
                place = None;
            } else if self.now < self.hold {
                let ends = until.max(self.hold + millis(settings.offer));
                self.slots.insert(spot, Slot::Offer { ends });
                place = Some(Place::Offered(ends));
            } else {
                let ends = self.now + millis(settings.session);
                place = Some(Place::Admitted(self.issue(spot, 1, ends)));
            }
        }
        self.told_as_it_is(spot, place)
    }

    /// Who is gone or missed the turn has nothing here; only join and touch bring them back.
    fn told_as_it_is(&self, spot: Spot, place: Option<Place>) -> Told {
        let shown = place.filter(|place| !matches!(place, Place::Gone | Place::Grace));
        self.told(spot, shown)
    }

    pub(crate) fn renew(&mut self, account: u32, spot: Spot, shown: Session) -> Told {
        let settings = self.settings.clone();
        let (pass_time, skew, mode) = settings.map_or((0, 0, Mode::Closed), |settings| {
            (millis(settings.pass), millis(settings.skew), settings.mode)
        });
        let configured = self.settings.is_some();
        let live = |slot: &Slot| slot.ends() > self.now;
        let known = self.slots.get(&spot).copied().filter(live);
        let older = match known {
            None | Some(Slot::Offer { .. }) => true,
            Some(Slot::Pass { session, left, .. }) => !left && session.pass < shown.pass,
        };
        let valid = shown.pass_ends > self.now && shown.ends > self.now;
        if self.now < self.hold && valid && older {
            if let Some(other) = self
                .accounts
                .insert(account, spot)
                .filter(|other| *other != spot)
            {
                self.leave(other);
            }
            self.waiting.remove(&spot);
            self.gone.remove(&spot);
            self.grace.remove(&spot);
            self.late.retain(|other| *other != spot);
            let ends = shown.pass_ends + 2 * skew;
            let left = false;
            let settings = self.settings.as_ref();
            let session_time = settings.map_or(0, |settings| millis(settings.session));
            let slot = Slot::Pass {
                session: shown,
                start: self.now.min(shown.ends - session_time),
                left,
                ends,
            };
            self.slots.insert(spot, slot);
        }
        let live = |slot: &Slot| slot.ends() > self.now;
        let slot = self.slots.get(&spot).copied().filter(live);
        let closed = configured && mode == Mode::Closed;
        match slot {
            Some(Slot::Pass {
                session,
                left: false,
                ..
            }) if self.now < session.pass_ends && session.ends - self.now >= 1000 && !closed => {
                let fresh = (session.pass_ends - self.now) * 10 > pass_time * 9;
                let last = session.pass_ends >= session.ends / 1000 * 1000;
                let next = if fresh || last {
                    session
                } else {
                    self.issue(spot, session.pass + 1, session.ends)
                };
                self.told(spot, Some(Place::Admitted(next)))
            }
            _ => self.told(spot, None),
        }
    }

    /// A session of the account that began by `time` is over.
    pub(crate) fn depart(&mut self, account: u32, time: Millis) {
        let settings = self.settings.clone().unwrap();
        let Some(spot) = self.accounts.get(&account).copied() else {
            return;
        };
        if let Some(Slot::Pass { start, left, .. }) = self.slots.get(&spot)
            && !left
            && *start <= time + millis(settings.skew)
        {
            self.leave(spot);
        }
    }

    pub(crate) fn leave(&mut self, spot: Spot) {
        self.waiting.remove(&spot);
        self.gone.remove(&spot);
        self.late.retain(|other| *other != spot);
        self.grace.remove(&spot);
        match self.slots.get_mut(&spot) {
            Some(Slot::Offer { .. }) => {
                self.slots.remove(&spot);
            }
            Some(Slot::Pass { left, .. }) => *left = true,
            None => {}
        }
    }
}
