//! A room of this instance: what is known of it, and its ways to the line.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use mesh::pg::Database;
use mesh::tasks::{Tasks, blocking};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::beats::Beats;
use super::joins::{self, JoinError, Joins};
use super::keep::Keeper;
use crate::domain::draw::Ranks;
use crate::domain::lane::Spot;
use crate::domain::pace::Speed;
use crate::domain::room::{Phase, Room};
use crate::domain::stock::{Grades, Stock};
use crate::line::view::View;
use crate::line::{Joiner, Line, LineError, Told};

/// A room that is looked after.
#[derive(Debug)]
pub struct Live {
    room: RwLock<Arc<Room>>,
    view: RwLock<Arc<View>>,
    speed: Mutex<Speed>,
    stock: Mutex<Option<(Stock, Arc<Grades>)>>,
    ranks: OnceLock<Ranks>,
    pub(super) beats: Beats,
    joins: Joins,
    line: Line,
    pub(super) changed: Notify,
    /// Whether the last look at the line succeeded.
    reached: AtomicBool,
    /// When it was closed, ms; 0: not yet.
    closed_ms: AtomicI64,
}

impl Live {
    pub(super) fn start(
        room: Room,
        line: Line,
        database: Database,
        tasks: &Tasks,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let (joins, waiting) = joins::channel();
        let live = Arc::new(Self {
            room: RwLock::new(Arc::new(room)),
            view: RwLock::default(),
            speed: Mutex::default(),
            stock: Mutex::default(),
            ranks: OnceLock::new(),
            beats: Beats::default(),
            joins,
            line,
            changed: Notify::new(),
            reached: AtomicBool::new(false),
            closed_ms: AtomicI64::new(0),
        });
        let batches = joins::run(Arc::clone(&live), waiting, database.clone(), stop.clone());
        tasks.spawn("joins", batches);
        tasks.spawn("room", Keeper::new(Arc::clone(&live), database).run(stop));
        live
    }

    /// The room as it was decided and ordered.
    #[must_use]
    pub fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The line as it was, a quarter of a second ago at most while Redis answers.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How fast it moves.
    #[must_use]
    pub fn speed(&self) -> Speed {
        *self.speed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left of the show, as it was heard a second ago; `None` while not all is known of it.
    #[must_use]
    pub fn stock(&self) -> Option<Stock> {
        let known = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(stock, _)| *stock)
    }

    /// Grades of the show; none while not all is known of it.
    #[must_use]
    pub fn grades(&self) -> Arc<Grades> {
        let known = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        let grades = known.as_ref().map(|(_, grades)| Arc::clone(grades));
        grades.unwrap_or_default()
    }

    /// Takes in what is left; without `grades` they are what they were. A line that was just begun anew has none yet: it waits for the next.
    pub(super) fn set_stock(&self, stock: Option<Stock>, grades: Option<Grades>) {
        let mut known = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        let grades = grades.map(Arc::new);
        let grades = grades.or_else(|| known.take().map(|(_, grades)| grades));
        *known = stock.zip(grades);
    }

    /// The ranks of the entries of a draw that began, once they were computed.
    #[must_use]
    pub fn ranks(&self) -> Option<&Ranks> {
        self.ranks.get()
    }

    /// Computes the ranks, where that was not done yet.
    pub(super) async fn draw_ranks(&self, room: &Room) {
        let (Some(seed), Some(draw), None) = (room.seed, room.draw, self.ranks.get()) else {
            return;
        };
        if let Ok(ranks) = blocking(move || Ranks::of(&seed, &draw)).await {
            let _ = self.ranks.set(ranks); // the same ones
        }
    }

    /// As many may wait, by the settings and by what is left.
    #[must_use]
    pub fn waiting_max(&self) -> u32 {
        let plan = &self.room().plan;
        self.stock().map_or(plan.waiting_max, |stock| {
            plan.waiting_max
                .min(stock.waiting_max(plan.waiting_per_place))
        })
    }

    /// The line.
    #[must_use]
    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// Whether the line answers, on the server and in the generation that the room is set up on.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Notes that somebody was heard from.
    pub fn heard(&self, spot: Spot) {
        self.beats.note(spot);
    }

    /// Gives somebody a place, together with whoever else comes now; answers the generation in which it was given, too.
    pub async fn join(&self, joiner: Joiner) -> Result<(Told, u64), JoinError> {
        self.joins.submit(joiner).await
    }

    /// Takes in what the room is now, unless something newer is known.
    pub(super) fn apply(&self, room: Room) {
        let mut known = self.room.write().unwrap_or_else(PoisonError::into_inner);
        // Another epoch has another line: `Rooms` makes a new one.
        let other = room.epoch != known.epoch;
        let older = other || room.version < known.version || room.generation < known.generation;
        if !older && **known != room {
            *known = Arc::new(room);
            drop(known);
            self.changed.notify_one();
        }
    }

    pub(super) fn publish(&self, view: &View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view.clone());
        let mut speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        speed.observe(view.now, view.admitted());
    }

    pub(super) fn set_reached(&self, reached: bool) {
        self.reached.store(reached, Ordering::Relaxed);
    }

    /// How long it has been closed.
    pub(super) fn idle_since(&self, now: DateTime<Utc>) -> chrono::Duration {
        if self.room().phase(now) != Phase::Closed {
            self.closed_ms.store(0, Ordering::Relaxed);
            return chrono::Duration::zero();
        }
        let ms = now.timestamp_millis();
        let first = self
            .closed_ms
            .compare_exchange(0, ms, Ordering::Relaxed, Ordering::Relaxed);
        chrono::Duration::milliseconds(ms - first.err().unwrap_or(ms))
    }

    /// Somebody may wait now: a loop that rests looks.
    pub(super) fn woken(&self) {
        if self.is_idle() {
            self.changed.notify_one();
        }
    }

    /// Whether the last view had nobody in it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let view = self.view();
        view.live() == 0 && view.slots == 0
    }

    /// The line said that the room is another one than we know: it is looked after at once.
    pub fn suspect(&self, error: &LineError) {
        if matches!(error, LineError::Fenced(_) | LineError::Generation(_)) {
            self.changed.notify_one();
        }
    }
}
