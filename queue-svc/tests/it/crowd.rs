//! People who come to a room through several instances, wait, claim and shop, and note what they are told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mesh::tasks::Tasks;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::PlaceState;
use queue_svc::credentials::KeyRing;
use queue_svc::credentials::ticket::Ticket;
use queue_svc::domain::lane::Spot;
use queue_svc::line::{Millis, Session, Standing, Told};
use tokio::sync::oneshot;
use tonic::Status;
use uuid::Uuid;

use crate::history::{Event, Notes};
use crate::people::claims;
use crate::service::{Door, Home, reason};

/// Somebody who gets no answer for so long asks elsewhere. The call goes on, and what it brings counts.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two calls of one person.
const PAUSE: Duration = Duration::from_millis(100);
/// Of the room: the shortest offer there is, and the default session.
pub(crate) const OFFER: Duration = Duration::from_secs(10);
const SESSION: Duration = Duration::from_secs(900);
/// Every sixth person misses the first offer.
const NO_SHOWS: u32 = 6;
/// Every eighth person claims anywhere, all others at the last instance alone, however long it takes to answer.
const FLEXIBLE: u32 = 8;

pub(crate) fn settings(capacity: u32, rate: u32, burst: u32) -> pb::RoomSettings {
    let offer = prost_types::Duration {
        seconds: i64::try_from(OFFER.as_secs()).unwrap(),
        nanos: 0,
    };
    pb::RoomSettings {
        capacity,
        rate,
        burst,
        offer_duration: Some(offer),
        ..pb::RoomSettings::default()
    }
}

/// The people. They come and go by themselves until [`Crowd::leave`].
pub(crate) struct Crowd {
    people: Arc<People>,
    tasks: Tasks,
}

struct People {
    home: Arc<Home>,
    show_id: Uuid,
    doors: Vec<Door>,
    ring: KeyRing,
    tasks: Tasks,
    notes: Mutex<Notes>,
    /// Answers of each instance.
    answers: Vec<AtomicU64>,
    /// Answers that came after their patience, and calls that have none yet.
    late: AtomicU64,
    open: AtomicU64,
    refusals: Mutex<BTreeMap<String, u64>>,
    /// Who was answered since the last look.
    heard: Mutex<Vec<bool>>,
    over: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Join,
    Poll,
    Claim,
    Renew,
}

struct Person {
    index: u32,
    account_id: Uuid,
    calls: usize,
    ticket: String,
    pass: String,
    state: PlaceState,
    missed_one: bool,
}

impl Crowd {
    /// So many people begin to come.
    pub(crate) fn come(home: &Arc<Home>, show_id: Uuid, doors: Vec<Door>, count: u32) -> Self {
        let tasks = Tasks::new();
        let ring = std::fs::read_to_string(home.folder().join("queue-keys.json")).unwrap();
        let people = Arc::new(People {
            home: Arc::clone(home),
            show_id,
            answers: doors.iter().map(|_| AtomicU64::new(0)).collect(),
            doors,
            ring: KeyRing::from_json(&ring, mesh::clock::now()).unwrap(),
            tasks: tasks.clone(),
            notes: Mutex::new(Notes::new(OFFER, SESSION)),
            late: AtomicU64::new(0),
            open: AtomicU64::new(0),
            refusals: Mutex::default(),
            heard: Mutex::new(vec![false; usize::try_from(count).unwrap()]),
            over: AtomicBool::new(false),
        });
        for index in 0..count {
            let people = Arc::clone(&people);
            tasks.spawn("person", async move { people.live(index).await });
        }
        Self { people, tasks }
    }

    /// How many were let in.
    pub(crate) fn inside(&self) -> usize {
        self.people.notes().inside().len()
    }

    /// The end of the last pass that somebody holds; 0 where nobody does.
    pub(crate) fn last_end(&self) -> Millis {
        let notes = self.people.notes();
        let ends = notes.history.iter().filter_map(|event| match event {
            Event::Pass { until, .. } => Some(*until),
            _ => None,
        });
        ends.max().unwrap_or(0)
    }

    /// Answers of an instance so far.
    pub(crate) fn answers(&self, door: usize) -> u64 {
        self.people.answers[door].load(Ordering::Relaxed)
    }

    /// Answers so far that came when nobody waited for them any more.
    pub(crate) fn late(&self) -> u64 {
        self.people.late.load(Ordering::Relaxed)
    }

    /// Calls without an answer.
    pub(crate) fn open(&self) -> u64 {
        self.people.open.load(Ordering::Relaxed)
    }

    /// From now on nobody has been told anything.
    pub(crate) fn forget_who_was_heard(&self) {
        self.people.heard.lock().unwrap().fill(false);
    }

    /// Whether everybody was told of a place since.
    pub(crate) fn everybody_was_heard(&self) -> bool {
        self.people.heard.lock().unwrap().iter().all(|heard| *heard)
    }

    /// Within this time the server forgot something.
    pub(crate) fn lost(&self, from: Millis, until: Millis) {
        self.people
            .notes()
            .history
            .push(Event::Lost { from, until });
    }

    /// Everybody goes; answers what they were told and how often they were refused what.
    pub(crate) async fn leave(self) -> (Vec<Event>, BTreeMap<String, u64>) {
        self.people.over.store(true, Ordering::Relaxed);
        let left = self.tasks.shutdown(Duration::from_secs(30)).await;
        assert_eq!(left, Vec::<&str>::new(), "calls without an answer");
        let history = std::mem::take(&mut self.people.notes().history);
        let refusals = std::mem::take(&mut *self.people.refusals.lock().unwrap());
        (history, refusals)
    }
}

impl People {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    async fn live(self: Arc<Self>, index: u32) {
        let mut person = Person {
            index,
            account_id: mesh::id::new(),
            calls: usize::try_from(index).unwrap(),
            ticket: String::new(),
            pass: String::new(),
            state: PlaceState::Unspecified,
            missed_one: !index.is_multiple_of(NO_SHOWS),
        };
        while !self.over.load(Ordering::Relaxed) {
            person.calls += 1;
            let verb = person.next();
            let last = self.doors.len() - 1;
            let door = match verb {
                Verb::Claim if index % FLEXIBLE != 1 => last,
                _ => person.calls % self.doors.len(),
            };
            let (send, answer) = oneshot::channel();
            let call = Arc::clone(&self).call(verb, door, &person, send);
            self.tasks.spawn("call", call);
            if let Ok(Ok(Some(place))) = tokio::time::timeout(PATIENCE, answer).await {
                person.learn(place);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn call(
        self: Arc<Self>,
        verb: Verb,
        door: usize,
        person: &Person,
        answer: oneshot::Sender<Option<pb::Place>>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (index, account_id) = (person.index, person.account_id);
        let (ticket, pass) = (person.ticket.clone(), person.pass.clone());
        async move {
            let (home, show_id) = (&self.home, self.show_id);
            let instance = &self.doors[door];
            self.open.fetch_add(1, Ordering::Relaxed);
            let asked = now();
            let told = match verb {
                Verb::Join => instance.try_join(home, show_id, account_id, &ticket).await,
                Verb::Poll => instance.poll(home, show_id, account_id, &ticket).await,
                Verb::Claim => instance.claim(home, show_id, account_id, &ticket).await,
                Verb::Renew => instance.renew(home, show_id, account_id, &pass).await,
            };
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.answers[door].fetch_add(1, Ordering::Relaxed);
            let told = told.map(|place| with_ticket(place, &ticket));
            let place = self.take_in(verb, (index, account_id), asked, told);
            if answer.send(place).is_err() {
                self.late.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn take_in(
        &self,
        verb: Verb,
        (index, account_id): (u32, Uuid),
        asked: Millis,
        told: Result<pb::Place, Status>,
    ) -> Option<pb::Place> {
        let place = match told {
            Ok(place) => place,
            Err(status) => {
                let details = format!("{verb:?} {}", reason(&status));
                *self.refusals.lock().unwrap().entry(details).or_default() += 1;
                return None;
            }
        };
        self.heard.lock().unwrap()[usize::try_from(index).unwrap()] = true;
        // What somebody is told from the memory of an instance is a quarter of a second old.
        let from_memory = verb == Verb::Poll && place.state() == PlaceState::Waiting;
        if let Some(told) = self.read(account_id, &place)
            && !from_memory
        {
            self.notes().note(index, (asked, now()), told);
        }
        Some(place)
    }

    /// What an answer says of a place.
    fn read(&self, account_id: Uuid, place: &pb::Place) -> Option<Told> {
        let (standing, spot) = match place.state() {
            PlaceState::Admitted => {
                let (spot, pass_ends) = claims(&place.pass);
                let ends = millis(place.session_expire_time.as_ref());
                let session = Session {
                    pass: 0,
                    pass_ends,
                    ends,
                };
                (Standing::Admitted(session), spot)
            }
            PlaceState::Offered => {
                let until = millis(place.claim_expire_time.as_ref());
                (Standing::Offered { until }, self.spot(account_id, place)?)
            }
            PlaceState::Waiting if place.lane() == pb::Lane::Late => {
                (Standing::Late, self.spot(account_id, place)?)
            }
            PlaceState::Waiting => (Standing::Waiting, self.spot(account_id, place)?),
            _ => return None,
        };
        Some(Told {
            spot: Some(spot),
            standing,
        })
    }

    fn spot(&self, account_id: Uuid, place: &pb::Place) -> Option<Spot> {
        let now = mesh::clock::now();
        let ticket = Ticket::open(&place.ticket, &self.ring, self.show_id, account_id, now);
        ticket.ok().map(|ticket| ticket.spot)
    }
}

impl Person {
    fn next(&self) -> Verb {
        let odd = self.calls % 4 < 2;
        match self.state {
            _ if self.ticket.is_empty() => Verb::Join,
            PlaceState::Offered if self.missed_one => Verb::Claim,
            PlaceState::Admitted => Verb::Renew,
            _ if odd => Verb::Poll,
            _ => Verb::Join,
        }
    }

    fn learn(&mut self, place: pb::Place) {
        self.missed_one |=
            self.state == PlaceState::Offered && place.state() == PlaceState::Waiting;
        self.state = place.state();
        if !place.ticket.is_empty() {
            self.ticket = place.ticket;
        }
        if !place.pass.is_empty() {
            self.pass = place.pass;
        }
    }
}

/// An answer without a ticket is about the place of the one that was shown.
fn with_ticket(place: pb::Place, shown: &str) -> pb::Place {
    let ticket = if place.ticket.is_empty() {
        shown.to_owned()
    } else {
        place.ticket
    };
    pb::Place { ticket, ..place }
}

fn millis(time: Option<&prost_types::Timestamp>) -> Millis {
    let time = mesh::clock::from_timestamp(time.unwrap()).unwrap();
    time.timestamp_millis()
}

fn now() -> Millis {
    mesh::clock::now().timestamp_millis()
}
