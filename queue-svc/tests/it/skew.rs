//! Clocks that differ: Redis dates passes, and whoever checks them goes by a clock of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use queue_svc::credentials::KeyRing;
use queue_svc::credentials::pass::{Pass, PassError};
use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::line::{Joiner, Millis, Mode, Session, Settings, Standing};
use uuid::Uuid;

use crate::history::{Bounds, Event, Notes, broken, is_close_to};
use crate::losses::joiner;
use crate::support::{Stage, on_test_seams, redis};

/// A whole second, as ends of passes are: whoever is next comes in at the very moment a slot is free.
const START: Millis = 1_700_000_000_000;
const STEP: Millis = 1_000;
const STEPS: Millis = 400;
const PEOPLE: u32 = 40;
/// Somebody asks for the next pass so often, and leaves the shop after so many.
const RENEW_EVERY: Millis = 20_000;
const RENEWALS: u64 = 3;

const BOUNDS: Bounds = Bounds {
    capacity: 3,
    rate: 5,
    burst: 2,
};

fn settings(skew: Duration) -> Settings {
    Settings {
        version: 1,
        mode: Mode::Open,
        capacity: 3,
        rate: 5,
        burst: 2,
        offer: Duration::from_secs(20),
        pass: Duration::from_secs(60),
        skew,
        session: Duration::from_secs(600),
        grace: Duration::from_secs(600),
        weights: [1; 4],
    }
}

fn ring(now: DateTime<Utc>) -> KeyRing {
    let seed = STANDARD.encode([9; 32]);
    let ring = serde_json::json!({"keys": [{"key_id": 1, "seed": seed, "valid_from_time": "2020-01-01T00:00:00Z", "valid_until_time": null}]});
    KeyRing::from_json(&ring.to_string(), now).unwrap()
}

fn time(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap()
}

/// A shop whose clock is off by so much, and people who come to it.
struct Shop {
    stage: Stage,
    notes: Notes,
    /// Accounts inside, with the place and the last pass.
    inside: BTreeMap<u32, (Spot, Session)>,
    gone: Vec<u32>,
    ring: KeyRing,
    show_id: Uuid,
    off: Millis,
}

impl Shop {
    async fn open(skew: Duration, off: Millis) -> Self {
        let stage = Stage::new(&redis(), &on_test_seams());
        stage.set("clock", START).await;
        stage.set("fence", "one").await;
        let block = Block {
            first: 0,
            end: 1_000,
        };
        let line = &stage.line;
        line.recover(1, Duration::ZERO, [block; 3]).await.unwrap();
        let settings = settings(skew);
        line.configure(1, &settings).await.unwrap();
        Self {
            stage,
            notes: Notes::new(settings.offer, settings.session),
            inside: BTreeMap::new(),
            gone: Vec::new(),
            ring: ring(time(START)),
            show_id: mesh::id::new(),
            off,
        }
    }

    /// Somebody shows a pass at the shop: it is good from now until its clock says otherwise.
    fn show(&mut self, account: u32, now: Millis, (spot, session): (Spot, Session)) {
        self.inside.insert(account, (spot, session));
        let account_id = mesh::id::derive(self.show_id, account.to_string());
        let pass = Pass {
            show_id: self.show_id,
            account_id,
            epoch: 1,
            spot,
            session,
            strict: false,
        };
        let text = pass.sign(&self.ring, time(now)).unwrap();
        let at = |moment: Millis| {
            let clock = time(moment + self.off);
            Pass::verify(&text, &self.ring, self.show_id, account_id, clock)
        };
        let until = session.pass_ends - self.off;
        assert_eq!(at(now), Ok(pass));
        assert_eq!(
            at(until - 1),
            Ok(pass),
            "good at the shop to the last moment"
        );
        assert_eq!(at(until), Err(PassError::Expired));
    }

    async fn step(&mut self, now: Millis) {
        self.stage.set("clock", now).await;
        let line = self.stage.line.clone();
        line.admit(1, 10).await.unwrap();
        let outside = |account: &u32| !self.inside.contains_key(account);
        let queue: Vec<u32> = (0..PEOPLE)
            .filter(|account| outside(account) && !self.gone.contains(account))
            .collect();
        let joiners: Vec<Joiner> = queue.iter().map(|account| joiner(*account)).collect();
        let (_, told) = line.join(1, 1_000, &joiners).await.unwrap();
        let mut turns: Vec<(u32, Spot)> = Vec::new();
        for (account, told) in queue.into_iter().zip(told) {
            self.notes.note(account, (now, now), told);
            match (told.standing, told.spot) {
                (Standing::Offered { .. }, Some(spot)) => turns.push((account, spot)),
                (Standing::Admitted(session), Some(spot)) => {
                    self.show(account, now, (spot, session));
                }
                _ => {}
            }
        }
        let spots: Vec<Spot> = turns.iter().map(|(_, spot)| *spot).collect();
        let (_, told) = line.claim(1, &spots).await.unwrap();
        for ((account, spot), told) in turns.into_iter().zip(told) {
            let Standing::Admitted(session) = told.standing else {
                panic!("{told:?}");
            };
            self.notes.note(account, (now, now), told);
            self.show(account, now, (spot, session));
        }
        self.renew(now).await;
    }

    async fn renew(&mut self, now: Millis) {
        for (account, (spot, session)) in self.inside.clone() {
            if session.pass > RENEWALS {
                if now >= session.pass_ends {
                    self.inside.remove(&account);
                    self.gone.push(account);
                }
                continue;
            }
            let issued = session.pass_ends - 60_000;
            if now - issued < RENEW_EVERY {
                continue;
            }
            let shown = [(joiner(account).tag, spot, session)];
            let (_, told) = self.stage.line.renew(1, &shown).await.unwrap();
            let Standing::Admitted(session) = told[0].standing else {
                panic!("{told:?}");
            };
            self.notes.note(account, (now, now), told[0]);
            self.show(account, now, (spot, session));
        }
    }

    /// What the shop saw: a pass ends by its own clock.
    fn history(&self) -> Vec<Event> {
        let mut history = self.notes.history.clone();
        for event in &mut history {
            if let Event::Pass { until, .. } = event {
                *until -= self.off;
            }
        }
        history
    }
}

/// People shop for minutes, where slots outlive passes by twice `skew` and the clock of the shop is `off`.
async fn history(skew: Duration, off: Millis) -> Vec<Event> {
    let mut shop = Shop::open(skew, off).await;
    for step in 1..=STEPS {
        shop.step(START + step * STEP).await;
    }
    assert!(shop.gone.len() > 3, "slots were used again");
    shop.stage.lose().await;
    assert!(
        shop.notes
            .inside()
            .iter()
            .all(|spot| spot.lane == Lane::General),
        "nobody was late"
    );
    shop.history()
}

const SKEW: Duration = Duration::from_secs(2);

#[tokio::test]
async fn clocks_two_seconds_apart_let_nobody_in_too_many() {
    // The last: Redis is 2 s ahead of true time and the shop 2 s behind.
    for off in [0, 2_000, -2_000, -4_000] {
        let history = history(SKEW, off).await;
        assert_eq!(broken(&history, BOUNDS), Vec::<String>::new(), "{off} ms");
        is_close_to(&history, BOUNDS);
    }
}

#[tokio::test]
async fn slots_that_end_with_their_passes_let_too_many_in_where_a_clock_is_behind() {
    let exact = history(Duration::ZERO, 0).await;
    assert_eq!(broken(&exact, BOUNDS), Vec::<String>::new());
    for (skew, off) in [(Duration::ZERO, -2_000), (SKEW, -5_000)] {
        let found = broken(&history(skew, off).await, BOUNDS);
        assert!(
            found.iter().any(|what| what.contains("passes for 3")),
            "{skew:?} {off} ms: {found:?}"
        );
    }
}
