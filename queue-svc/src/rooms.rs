//! The rooms that this instance looks after: all that are not closed. Which there are is read from Postgres every second; each has a loop
//! that admits, refreshes its view, and collects heartbeats. Every instance does so for every room: the functions of the line decide what
//! happens, whoever calls them and how often.

mod beats;
mod departures;
mod joins;
mod keep;
mod live;
mod strangers;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::clock::to_timestamp;
use mesh::pg::{Connection, Database, TxError};
use mesh::redis::{Library, Redis, Wait};
use mesh::status::chain;
use mesh::tasks::Tasks;
use mesh::{outbox, pg};
use proto::usher::queue::events::v1::RoomOpened;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::credentials::KeyRing;
use crate::domain::room::{Phase, Room};
use crate::line::Line;
use crate::store;

pub use joins::JoinError;
pub use live::Live;
use strangers::Strangers;

/// How old the list of rooms may be; an order is applied at once where it was given, and so late elsewhere.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rooms of a mesh at once. A room in which nobody is costs two calls of Redis a second, a busy one fifteen.
const ROOMS_MAX: i64 = 2_000;
/// A room is looked after for so long after it closed: its people are told.
const AFTER_CLOSE: chrono::Duration = chrono::Duration::hours(1);

/// The line of an epoch that is over is removed so long after: a few looks at the list later.
const FORGET_AFTER: Duration = Duration::from_secs(5);

/// What rooms need.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where rooms are.
    pub database: Database,
    /// Where lines are.
    pub redis: Redis,
    /// Functions of lines.
    pub functions: Library,
    /// Replicas that must know of a pass before it is told.
    pub wait: Option<Wait>,
    /// Knows accounts as lines know them.
    pub ring: KeyRing,
    /// Owner of the loops.
    pub tasks: Tasks,
}

/// What there is of a room.
#[derive(Clone, Debug)]
pub enum Found {
    /// It is looked after.
    Live(Arc<Live>),
    /// It was closed.
    Over,
    /// There is none.
    Nowhere,
}

/// The rooms of this instance. Clones share them.
#[derive(Clone, Debug)]
pub struct Rooms {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    live: RwLock<HashMap<Uuid, Entry>>,
    strangers: Strangers,
    full: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    live: Arc<Live>,
    stop: CancellationToken,
}

impl Rooms {
    /// Looks after every room until the process stops.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let tasks = parts.tasks.clone();
        let inner = Arc::new(Inner {
            parts,
            live: RwLock::default(),
            strangers: Strangers::default(),
            full: AtomicBool::new(false),
        });
        let rooms = Self { inner };
        let keeper = rooms.clone();
        tasks.keep_running("rooms", move |stop| {
            let rooms = keeper.clone();
            async move { rooms.keep(stop).await }
        });
        let departing = rooms.clone();
        tasks.keep_running("departures", move |stop| {
            let rooms = departing.clone();
            async move { departures::run(rooms.clone(), rooms.inner.parts.ring.clone(), stop).await }
        });
        rooms
    }

    /// A room that people may know. One that was made elsewhere a moment ago is looked up.
    pub async fn find(&self, show_id: Uuid) -> Result<Found, TxError<Infallible>> {
        if let Some(live) = self.known(show_id) {
            return Ok(Found::Live(live));
        }
        if self.inner.strangers.has(show_id) {
            return Ok(Found::Nowhere);
        }
        let Some(room) = self.read(show_id).await? else {
            self.inner.strangers.note(show_id);
            return Ok(Found::Nowhere);
        };
        if room.phase(mesh::clock::now()) == Phase::Closed {
            return Ok(Found::Over);
        }
        Ok(Found::Live(self.apply(room)))
    }

    async fn read(&self, show_id: Uuid) -> Result<Option<Room>, TxError<Infallible>> {
        let read = async move |connection: &mut Connection| {
            store::rooms::find(connection, show_id, false).await
        };
        self.inner.parts.database.read(read).await
    }

    fn known(&self, show_id: Uuid) -> Option<Arc<Live>> {
        let live = self
            .inner
            .live
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        live.get(&show_id).map(|entry| Arc::clone(&entry.live))
    }

    /// Takes in what a room is now; begins to look after it where it is new.
    pub fn apply(&self, room: Room) -> Arc<Live> {
        self.inner.strangers.forget(room.show_id);
        let mut rooms = self
            .inner
            .live
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = rooms.get(&room.show_id)
            && entry.live.room().epoch == room.epoch
        {
            entry.live.apply(room);
            return Arc::clone(&entry.live);
        }
        if let Some(old) = rooms.get(&room.show_id) {
            if old.live.room().epoch > room.epoch {
                return Arc::clone(&old.live);
            }
            old.stop.cancel();
            self.forget(Arc::clone(&old.live));
        }
        let parts = &self.inner.parts;
        let line = Line::new(
            parts.redis.clone(),
            parts.functions.clone(),
            room.show_id,
            room.epoch,
            parts.wait,
        );
        let stop = parts.tasks.stopping().child_token();
        let show_id = room.show_id;
        info!(%show_id, epoch = room.epoch, "room {show_id} is looked after");
        let live = Live::start(
            room,
            line,
            parts.database.background(),
            &parts.tasks,
            stop.clone(),
        );
        let entry = Entry {
            live: Arc::clone(&live),
            stop,
        };
        rooms.insert(show_id, entry);
        live
    }

    /// Removes the line of an epoch that is over, once every instance has noticed that it is.
    fn forget(&self, old: Arc<Live>) {
        let (rooms, tasks) = (self.clone(), &self.inner.parts.tasks);
        let stop = tasks.stopping();
        tasks.spawn("forget a line", async move {
            tokio::select! {
                () = tokio::time::sleep(FORGET_AFTER) => {}
                // Others may not have noticed yet; what stays is not used any more.
                () = stop.cancelled() => return,
            }
            let (room, view) = (old.room(), old.view());
            // An operator may have opened it again meanwhile.
            match rooms.read(room.show_id).await {
                Ok(Some(now)) if now.epoch > room.epoch => {}
                Ok(Some(now)) if now.phase(mesh::clock::now()) == Phase::Closed => {}
                Ok(_) | Err(_) => return,
            }
            if let Err(error) = old.line().forget(&view, room.buckets).await {
                let error = chain(&error);
                warn!(show_id = %room.show_id, error, "the line of epoch {} stays in Redis: {error}", room.epoch);
            }
        });
    }

    async fn keep(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.look().await {
                // What is known goes on.
                warn!(error = chain(&error), "the list of rooms cannot be read");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Takes in every room as it is, those that are not in the list any more included.
    async fn look(&self) -> Result<(), TxError<Infallible>> {
        let database = self.inner.parts.database.background();
        let (now, known) = (mesh::clock::now(), self.all());
        let stamp = |show_id: &Uuid| Some((*show_id, self.known(*show_id)?.stock()?.stamp));
        let stamps: HashMap<Uuid, i64> = known.iter().filter_map(stamp).collect();
        let since = now - AFTER_CLOSE;
        let room_for = ROOMS_MAX.saturating_sub(i64::try_from(known.len()).unwrap_or(i64::MAX));
        let read = async move |connection: &mut Connection| {
            let mut rooms = store::rooms::of(connection, &known).await?;
            let new = store::rooms::alive(connection, since, &known, room_for.max(0)).await?;
            rooms.extend(new);
            let shows: Vec<Uuid> = rooms.iter().map(|room| room.show_id).collect();
            let stocks = store::stock::of(connection, &shows).await?;
            let mut changed = shows;
            changed.retain(|show_id| {
                stocks.get(show_id).map(|stock| stock.stamp) != stamps.get(show_id).copied()
            });
            let grades = store::stock::grades(connection, &changed).await?;
            Ok((rooms, stocks, grades))
        };
        let (rooms, mut stocks, mut grades) = database.read(read).await?;
        let full = i64::try_from(rooms.len()).is_ok_and(|count| count >= ROOMS_MAX);
        if full != self.inner.full.swap(full, Ordering::Relaxed) && full {
            warn!(
                "{ROOMS_MAX} rooms are looked after; close those that are over, no more are taken"
            );
        }
        let mut opened = Vec::new();
        for room in rooms {
            if room.phase(now) == Phase::Open && !room.opening_told {
                opened.push(room.show_id);
            }
            let stock = stocks.remove(&room.show_id);
            let grades = grades.remove(&room.show_id);
            self.apply(room).set_stock(stock, grades);
        }
        self.gauge();
        self.give_up(now);
        for show_id in opened {
            if let Err(error) = tell_opening(&database, show_id).await {
                // The next look tells it.
                warn!(%show_id, error = chain(&error), "nobody was told that a room opened");
            }
        }
        Ok(())
    }

    /// Rooms that have been closed for long enough are not looked after any more.
    fn give_up(&self, now: DateTime<Utc>) {
        let mut live = self
            .inner
            .live
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        live.retain(|show_id, entry| {
            let keep = entry.live.idle_since(now) < AFTER_CLOSE;
            if !keep {
                entry.stop.cancel();
                info!(%show_id, "room {show_id} is not looked after any more");
                self.forget(Arc::clone(&entry.live));
            }
            keep
        });
    }

    /// Sums over all rooms; every instance tells the same ones.
    fn gauge(&self) {
        let (mut waiting, mut late, mut slots, mut over) = (0, 0, 0, 0);
        let rooms = self.everything();
        for live in &rooms {
            let (room, view) = (live.room(), live.view());
            waiting += view.live();
            late += view.late();
            slots += view.slots;
            over += view.slots.saturating_sub(room.plan.capacity.into());
        }
        metrics::gauge!("usher_queue_rooms").set(as_f64(rooms.len()));
        for (name, sum) in [
            ("usher_queue_waiting_people", waiting),
            ("usher_queue_late_people", late),
            ("usher_queue_slots", slots),
            ("usher_queue_over_by_slots", over),
        ] {
            metrics::gauge!(name).set(as_f64(usize::try_from(sum).unwrap_or(usize::MAX)));
        }
    }

    fn all(&self) -> Vec<Uuid> {
        let rooms = self.everything();
        rooms.iter().map(|live| live.room().show_id).collect()
    }

    /// Every room that is looked after.
    fn everything(&self) -> Vec<Arc<Live>> {
        let live = self
            .inner
            .live
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        live.values().map(|entry| Arc::clone(&entry.live)).collect()
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "people and slots are far below 2^53"
)]
fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Tells others that a room opened, once.
async fn tell_opening(database: &Database, show_id: Uuid) -> Result<(), TxError<Infallible>> {
    let work = async move |connection: &mut Connection| {
        if store::shows::tell_opening(connection, show_id).await? {
            let event = RoomOpened {
                show_id: show_id.to_string(),
                open_time: Some(to_timestamp(pg::now(connection).await?)),
            };
            outbox::append(connection, &event, show_id).await?;
        }
        Ok(())
    };
    database.transaction("room opened", work).await
}
