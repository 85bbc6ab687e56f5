//! One history: the line in Redis, the model beside it, and the clients with what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh::redis::{Library, Redis};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use queue_svc::domain::lane::{Block, Lane, Spot};
use queue_svc::line::view::View;
use queue_svc::line::{
    Asker, Joiner, LineError, Millis, Mode, Session, Settings, Standing, Tag, Told,
};

use super::silence::{Period, SLOW};
use super::steps::Step;
use crate::history::Event;
use crate::model::{Model, WAITING_MAX};
use crate::support::Stage;

/// Numbers of a block; less than a chunk, so that lines cross chunks after a few losses.
const BLOCK: u64 = 30_000;
/// When histories begin.
const START: Millis = 1_700_000_000_250;

const PASS: Duration = Duration::from_secs(60);
const SKEW: Duration = Duration::from_secs(2);
const HOLD: Duration = Duration::from_secs(64);
/// What a client keeps.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    ticket: Option<(Spot, u64)>,
    pass: Option<(Spot, Session)>,
}

/// A history: the line, the model beside it, and the clients.
pub(super) struct Play {
    pub(super) stage: Stage,
    pub(super) model: Model,
    clients: BTreeMap<u32, Client>,
    /// Places that were turned into a pass: Postgres keeps them.
    used: BTreeSet<Spot>,
    pub(super) generation: u64,
    version: u64,
    reserved: [u64; 3],
    /// Per lane and chunk: heard in the period before and in this one, and when it ends.
    pub(super) periods: BTreeMap<(Lane, u64), Period>,
    /// Until when pauses are the longest.
    pub(super) slow: Millis,
    view: View,
    pub(super) history: Vec<Event>,
    settings: Settings,
}

pub(super) fn settings() -> Settings {
    Settings {
        version: 1,
        mode: Mode::Open,
        capacity: 3,
        rate: 5,
        burst: 2,
        offer: Duration::from_secs(20),
        pass: PASS,
        skew: SKEW,
        session: Duration::from_secs(150),
        grace: Duration::from_secs(90),
        weights: [2, 3, 1, 4],
    }
}

fn waiting_max() -> u32 {
    u32::try_from(WAITING_MAX).unwrap()
}

fn tag(account: u32) -> Tag {
    let mut digest = [0xff; 10];
    digest[..4].copy_from_slice(&account.to_be_bytes());
    let bucket = account % 3;
    Tag { digest, bucket }
}

impl Play {
    pub(super) async fn begin(redis: &Redis, library: &Library) -> Self {
        let stage = Stage::new(redis, library);
        let mut play = Self {
            stage,
            model: Model::new(START),
            clients: BTreeMap::new(),
            used: BTreeSet::new(),
            generation: 0,
            version: 0,
            reserved: [0; 3],
            periods: BTreeMap::new(),
            slow: 0,
            view: View::default(),
            history: Vec::new(),
            settings: settings(),
        };
        play.stage.set("clock", START).await;
        play.stage.set("fence", "server 0").await;
        play.recover(Duration::ZERO).await;
        play
    }

    async fn recover(&mut self, hold: Duration) {
        self.generation += 1;
        let firsts = self.reserved;
        self.reserved = firsts.map(|first| first + BLOCK);
        let mut blocks = [Block { first: 0, end: 0 }; 3];
        for ((block, first), end) in blocks.iter_mut().zip(firsts).zip(self.reserved) {
            *block = Block { first, end };
        }
        self.stage
            .line
            .recover(self.generation, hold, blocks)
            .await
            .unwrap();
        let hold = i64::try_from(hold.as_millis()).unwrap();
        self.model.recover(hold, firsts, self.reserved);
        for period in self.periods.values_mut() {
            period.ends = 0;
        }
        self.configure().await;
    }

    async fn configure(&mut self) {
        self.version += 1;
        if self
            .model
            .settings
            .as_ref()
            .is_some_and(|old| self.settings.rate < old.rate)
        {
            self.slow = self.model.now + SLOW;
        }
        self.settings.version = self.version;
        self.stage
            .line
            .configure(self.generation, &self.settings)
            .await
            .unwrap();
        self.model.configure(&self.settings);
    }

    /// What a client was told.
    fn note(&mut self, account: u32, told: Told) {
        let Some(spot) = told.spot else {
            return;
        };
        let now = self.model.now;
        self.saw(told.standing, spot);
        self.history.push(Event::Issued { account, spot });
        let client = self.clients.entry(account).or_default();
        if client.ticket.is_none_or(|(old, _)| old != spot) {
            client.ticket = Some((spot, self.generation));
        }
        if let Standing::Admitted(session) = told.standing {
            self.used.insert(spot);
            client.pass = Some((spot, session));
            let until = session.pass_ends;
            self.history.push(Event::Pass {
                at: now,
                until,
                account,
                spot,
            });
        }
    }

    /// Who waits and who has a turn, in the eyes of a client.
    fn saw(&mut self, standing: Standing, spot: Spot) {
        let (asked, told) = (self.model.now, self.model.now);
        match standing {
            Standing::Waiting => self.history.push(Event::Waits { asked, spot }),
            // Who was inside before goes on with a turn of before.
            Standing::Admitted(_) if self.used.contains(&spot) => {}
            Standing::Offered { .. } | Standing::Admitted(_) => {
                self.history.push(Event::Turn { asked, told, spot });
            }
            _ => {}
        }
    }

    fn adoptable(&self, account: u32) -> Option<Spot> {
        let (spot, generation) = self.clients.get(&account)?.ticket?;
        (generation < self.generation && !self.used.contains(&spot)).then_some(spot)
    }

    pub(super) async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Pass { ms } => {
                self.model.now += i64::from(ms);
                self.stage.set("clock", self.model.now).await;
            }
            Step::Join {
                account,
                lane,
                with_ticket,
            } => {
                self.join(account, lane, with_ticket).await?;
            }
            Step::Touch { account } => self.touch(account).await?,
            Step::Admit { most } => {
                let (expected, _) = self.model.admit(most);
                let admitted = self.stage.line.admit(self.generation, most).await.unwrap();
                prop_assert_eq!(admitted, expected);
                let at = self.model.now;
                self.history
                    .extend((0..admitted.granted).map(|_| Event::Admitted { at }));
            }
            Step::Claim { account } => self.claim(account).await?,
            Step::Renew { account } => self.renew(account).await?,
            Step::Leave { account } => {
                if let Some(spot) = self.ticket(account) {
                    self.model.leave(spot);
                    self.stage.line.leave(self.generation, spot).await.unwrap();
                }
            }
            Step::Depart { account, ago } => {
                let time = self.model.now - i64::from(ago);
                self.model.depart(account, time);
                let departed = [(tag(account), time)];
                let line = &self.stage.line;
                line.depart(self.generation, &departed).await.unwrap();
            }
            Step::Beat { accounts } => self.beat(accounts).await,
            Step::Reap { lane } => self.reap(lane).await?,
            Step::Configure {
                mode,
                capacity,
                rate,
            } => {
                self.settings = Settings {
                    mode,
                    capacity,
                    rate,
                    ..self.settings.clone()
                };
                self.configure().await;
            }
            Step::Reserve { lane } => {
                let index = usize::from(lane.number()) - 1;
                self.reserved[index] += BLOCK;
                let end = self.reserved[index];
                self.stage
                    .line
                    .reserve(self.generation, lane, end)
                    .await
                    .unwrap();
                self.model.reserve(lane, end);
            }
            Step::Restart { data } => self.restart(data).await?,
        }
        Ok(())
    }

    pub(super) fn ticket(&self, account: u32) -> Option<Spot> {
        let client = self.clients.get(&account)?;
        client.ticket.map(|(spot, _)| spot)
    }

    async fn join(
        &mut self,
        account: u32,
        lane: Lane,
        with_ticket: bool,
    ) -> Result<(), TestCaseError> {
        let adopt = self.adoptable(account).filter(|_| with_ticket);
        let joiner = Joiner {
            tag: tag(account),
            lane,
            adopt,
        };
        let waiting: BTreeSet<Spot> = self.model.waiting().collect();
        let expected = self.model.join(account, lane, adopt);
        let (_, told) = self
            .stage
            .line
            .join(self.generation, waiting_max(), &[joiner])
            .await
            .unwrap();
        prop_assert_eq!(&told, &[expected]);
        self.stood(&waiting);
        if let (Standing::Admitted(_), Some(spot)) = (expected.standing, expected.spot)
            && !self.used.contains(&spot)
        {
            let at = self.model.now;
            self.history.push(Event::Admitted { at });
        }
        self.note(account, expected);
        Ok(())
    }

    async fn touch(&mut self, account: u32) -> Result<(), TestCaseError> {
        let Some(spot) = self.ticket(account) else {
            return Ok(());
        };
        let adopt = self.adoptable(account) == Some(spot);
        let asker = Asker {
            tag: tag(account),
            spot,
            adopt,
        };
        let waiting: BTreeSet<Spot> = self.model.waiting().collect();
        let expected = self.model.touch(account, spot, adopt);
        let (_, told) = self
            .stage
            .line
            .touch(self.generation, &[asker])
            .await
            .unwrap();
        prop_assert_eq!(&told, &[expected]);
        if let Some(spot) = expected.spot {
            self.saw(expected.standing, spot);
        }
        self.stood(&waiting);
        Ok(())
    }

    async fn claim(&mut self, account: u32) -> Result<(), TestCaseError> {
        let Some(spot) = self.ticket(account) else {
            return Ok(());
        };
        let expected = self.model.claim(spot);
        let (_, told) = self
            .stage
            .line
            .claim(self.generation, &[spot])
            .await
            .unwrap();
        prop_assert_eq!(&told, &[expected]);
        self.note(account, expected);
        Ok(())
    }

    async fn renew(&mut self, account: u32) -> Result<(), TestCaseError> {
        let shown = self.clients.get(&account).and_then(|client| client.pass);
        let Some((spot, session)) = shown else {
            return Ok(());
        };
        let expected = self.model.renew(account, spot, session);
        let (_, told) = self
            .stage
            .line
            .renew(self.generation, &[(tag(account), spot, session)])
            .await
            .unwrap();
        prop_assert_eq!(&told, &[expected]);
        self.note(account, expected);
        Ok(())
    }

    async fn restart(&mut self, data: bool) -> Result<(), TestCaseError> {
        if !data {
            let (from, until) = (self.model.now, self.model.now);
            self.history.push(Event::Lost { from, until });
            self.stage.lose().await;
            self.model.lose();
            self.periods.clear();
            self.slow = 0;
            self.stage.set("clock", self.model.now).await;
        }
        self.stage
            .set("fence", format!("server {}", self.generation))
            .await;
        let refused = self.stage.line.admit(self.generation, 5).await;
        prop_assert!(
            matches!(refused, Err(LineError::Fenced(_))),
            "{:?}",
            refused
        );
        let late = self.generation;
        self.recover(HOLD).await;
        let refused = self.stage.line.admit(late, 5).await;
        prop_assert!(
            matches!(refused, Err(LineError::Generation(_))),
            "{:?}",
            refused
        );
        Ok(())
    }

    pub(super) async fn compare(&mut self) -> Result<(), TestCaseError> {
        self.stage.line.refresh(&mut self.view).await.unwrap();
        let expected = self.model.positions();
        let waiting = u64::try_from(expected.len()).unwrap();
        prop_assert_eq!(self.view.live(), waiting);
        prop_assert_eq!(self.view.slots, self.model.slots());
        for (spot, position) in &expected {
            prop_assert_eq!(self.view.position(*spot), Some(*position), "{:?}", spot);
        }
        for client in self.clients.values() {
            if let Some((spot, _)) = client.ticket
                && !expected.contains_key(&spot)
            {
                prop_assert_eq!(self.view.position(spot), None, "{:?}", spot);
            }
        }
        Ok(())
    }
}
