//! The loop of a room: takes the line over when Redis is another one, hands settings over, admits, refreshes the view, hands heartbeats over
//! and ends periods of silence. All of it may be done by every instance at any time.

use std::sync::Arc;
use std::time::Duration;

use mesh::clock;
use mesh::pg::{Connection, Database, TxError};
use mesh::status::chain;
use thiserror::Error;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::Live;
use super::joins::{BLOCK, reserve};
use crate::domain::forecast::Forecasts;
use crate::domain::lane::Lane;
use crate::domain::pace;
use crate::domain::room::{HOLD, Room};
use crate::line::view::View;
use crate::line::{Admitted, CHUNK, LineError};
use crate::store;

/// How often slots are given out.
const ADMIT_EVERY: Duration = Duration::from_millis(100);
/// Offers of one call, and calls in a row: each call is about 1.5 ms of Redis, and a room of 10,000 a second needs five.
const ADMIT_MOST: u32 = 200;
const ADMIT_CALLS_MAX: u32 = 50;
/// How old positions may be.
const REFRESH_EVERY: Duration = Duration::from_millis(250);
/// How long heartbeats are collected. Part of [`pace`]'s slack.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// How often periods of silence are looked at.
const REAP_EVERY: Duration = Duration::from_secs(5);
/// Pause after numbers could not be reserved: half a block is left.
const RESERVE_PAUSE: Duration = Duration::from_secs(5);
/// How often a room is looked at in which nobody is.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// Pause after a failure, and after somebody else was quicker to take a room over.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a room is not looked after now.
#[derive(Debug, Error)]
enum Trouble {
    /// The line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Postgres.
    #[error("the database cannot be reached")]
    Database(#[from] TxError<std::convert::Infallible>),
}

pub(super) struct Keeper {
    live: Arc<Live>,
    database: Database,
    view: View,
    refreshed: Option<Instant>,
    beaten: Instant,
    reaped: Option<Instant>,
    reserve_again: Option<Instant>,
    failing: bool,
    forecasts: Forecasts,
    /// When it last admitted, unless it has rested since.
    admitted: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(live: Arc<Live>, database: Database) -> Self {
        Self {
            live,
            database,
            view: View::default(),
            refreshed: None,
            beaten: Instant::now(),
            reaped: None,
            reserve_again: None,
            failing: false,
            forecasts: Forecasts::default(),
            admitted: None,
        }
    }

    /// Looks after the room until told to stop; hands over the last heartbeats then.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(ADMIT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                _ = ticks.tick() => if self.rests() {
                    self.admitted = None;
                    continue;
                },
                () = self.live.changed.notified() => self.refreshed = None,
                () = stop.cancelled() => break,
            }
            let show_id = self.live.room().show_id;
            match self.turn(&stop).await {
                Ok(()) => {
                    if std::mem::take(&mut self.failing) {
                        info!(%show_id, "the line of room {show_id} answers again");
                    }
                    self.live.set_reached(true);
                }
                Err(trouble) => {
                    self.live.set_reached(false);
                    // Told once: it is tried twice a second.
                    if !std::mem::replace(&mut self.failing, true) {
                        let error = chain(&trouble);
                        warn!(%show_id, error, "room {show_id} stands still: {error}");
                    }
                    self.refreshed = None;
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
        let room = self.live.room();
        if let Err(error) = self.beat(&room).await {
            info!(
                error = chain(&error),
                "the last heartbeats of a room are lost"
            );
        }
    }

    fn rests(&self) -> bool {
        let looked = self.refreshed.is_some_and(|at| at.elapsed() < IDLE_EVERY);
        looked && self.live.is_idle()
    }

    async fn turn(&mut self, stop: &CancellationToken) -> Result<(), Trouble> {
        let room = self.live.room();
        let old = self
            .refreshed
            .is_none_or(|at| at.elapsed() >= REFRESH_EVERY);
        if old {
            self.refresh().await?;
            if !self.is_ours(&room) {
                return self.take_over(&room).await;
            }
            self.hand_over(&room).await?;
            self.live.draw_ranks(&room).await;
        }
        if room.is_drawing(clock::now()) {
            return tokio::select! {
                drawn = self.draw(&room) => drawn,
                // Whoever draws next repeats what was left.
                () = stop.cancelled() => Ok(()),
            };
        }
        for _ in 0..ADMIT_CALLS_MAX {
            let admitted = self.live.line().admit(room.generation, ADMIT_MOST).await?;
            self.measure(&admitted);
            if admitted.granted < ADMIT_MOST && admitted.purged < ADMIT_MOST {
                break;
            }
        }
        if old {
            self.top_up().await;
        }
        if self.beaten.elapsed() >= BEAT_EVERY {
            self.beaten = Instant::now();
            self.beat(&room).await?;
        }
        if self.reaped.is_none_or(|at| at.elapsed() >= REAP_EVERY) {
            self.reaped = Some(Instant::now());
            self.reap(&room).await?;
        }
        Ok(())
    }

    /// What an admission did, and how much later than it should it came: time in which a free slot was nobody's.
    fn measure(&mut self, admitted: &Admitted) {
        metrics::counter!("usher_queue_offers_total").increment(admitted.granted.into());
        metrics::counter!("usher_queue_no_shows_total").increment(admitted.missed.into());
        let now = Instant::now();
        if let Some(last) = self.admitted.replace(now) {
            let late = (now - last).saturating_sub(ADMIT_EVERY);
            metrics::histogram!("usher_queue_admit_lag_seconds").record(late.as_secs_f64());
        }
    }

    async fn refresh(&mut self) -> Result<(), Trouble> {
        self.live.line().refresh(&mut self.view).await?;
        self.refreshed = Some(Instant::now());
        self.live.publish(&self.view);
        self.compare();
        Ok(())
    }

    /// How good the told waits are, by the last place of the general lane now and then.
    fn compare(&mut self) {
        let lane = self.view.lane(Lane::General);
        for outcome in self.forecasts.passed(self.view.now, lane.head) {
            metrics::histogram!("usher_queue_wait_told_ratio").record(outcome.ratio);
            if outcome.missed {
                metrics::counter!("usher_queue_waits_missed_total").increment(1);
            }
        }
        if let (Some(last), 1..) = (lane.next.checked_sub(1), lane.live) {
            let told = self.live.speed().wait(lane.live);
            self.forecasts.note(self.view.now, last, told);
        }
    }

    fn is_ours(&self, room: &Room) -> bool {
        self.view.owner == self.view.fence && self.view.generation == room.generation
    }

    /// Begins the next generation on the Redis that there is now: another server, or one that forgot. Nobody is admitted before every pass
    /// that may be out has ended; numbers go on behind all that may have been issued.
    async fn take_over(&mut self, room: &Room) -> Result<(), Trouble> {
        let (show_id, known, epoch) = (room.show_id, room.generation, room.epoch);
        let taken = if self.view.generation > known {
            None
        } else {
            let work = async move |connection: &mut Connection| {
                Ok(
                    store::rooms::next_generation(connection, show_id, (epoch, known), BLOCK)
                        .await?,
                )
            };
            self.database.transaction("next generation", work).await?
        };
        self.forecasts.clear();
        if let Some(blocks) = taken {
            let generation = known + 1;
            // Before the first one no pass can be out.
            let hold = if known == 0 { Duration::ZERO } else { HOLD };
            self.live.line().recover(generation, hold, blocks).await?;
            if known > 0 {
                warn!(%show_id, generation, "room {show_id} recovers: Redis is another one, or has lost something");
                metrics::counter!("usher_queue_recoveries_total").increment(1);
            }
        } else {
            // Somebody else is taking it over.
            tokio::time::sleep(PAUSE).await;
        }
        self.refreshed = None;
        self.reread(show_id).await
    }

    /// Gives the entries of a lottery their places: the numbers are fixed in Postgres first, then everybody moves, then it is noted. Whoever else
    /// does the same does the same.
    async fn draw(&self, room: &Room) -> Result<(), Trouble> {
        let line = self.live.line();
        let version = room.settings(clock::now()).version;
        let Some(entries) = line.entries(room.generation, version).await? else {
            return Ok(());
        };
        let (show_id, of_line) = (room.show_id, (room.epoch, room.generation));
        let Some(draw) = room.draw else {
            let entrants = entries.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            let known = room.clone();
            let work = async move |connection: &mut Connection| {
                Ok(store::draws::begin(connection, &known, entrants, CHUNK).await?)
            };
            self.database.transaction("begin a draw", work).await?;
            info!(%show_id, ?entrants, "room {show_id} draws lots");
            return self.reread(show_id).await;
        };
        let Some(ranks) = self.live.ranks() else {
            self.live.draw_ranks(room).await;
            return Ok(());
        };
        if line
            .draw(room.generation, &draw, ranks, room.buckets)
            .await?
        {
            let work = async move |connection: &mut Connection| {
                Ok(store::draws::end(connection, show_id, of_line).await?)
            };
            self.database.transaction("end a draw", work).await?;
        }
        self.reread(show_id).await
    }

    async fn reread(&self, show_id: Uuid) -> Result<(), Trouble> {
        let read = async move |connection: &mut Connection| {
            store::rooms::find(connection, show_id, false).await
        };
        if let Some(room) = self.database.read(read).await? {
            self.live.apply(room);
        }
        Ok(())
    }

    /// Settings that changed, and numbers before the last ones are issued.
    async fn hand_over(&mut self, room: &Room) -> Result<(), Trouble> {
        let settings = room.settings(clock::now());
        if settings.version > self.view.version {
            self.live
                .line()
                .configure(room.generation, &settings)
                .await?;
        }
        Ok(())
    }

    /// More numbers before the last ones are issued. A database that is slow must not stop admission, so a failure is followed by a pause.
    async fn top_up(&mut self) {
        if self.reserve_again.is_some_and(|at| Instant::now() < at) {
            return;
        }
        for lane in Lane::ALL {
            let line = self.view.lane(lane);
            let short = line.next + BLOCK / 2 > line.reserved;
            if short && reserve(&self.live, &self.database, lane).await.is_err() {
                self.reserve_again = Some(Instant::now() + RESERVE_PAUSE);
                return;
            }
        }
    }

    async fn beat(&self, room: &Room) -> Result<(), LineError> {
        for ((lane, chunk), bits) in self.live.beats.take() {
            let handed = self
                .live
                .line()
                .beat(room.generation, lane, chunk, bits.clone())
                .await;
            if let Err(error) = handed {
                self.live.beats.give_back((lane, chunk), bits);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn reap(&self, room: &Room) -> Result<(), LineError> {
        for lane in Lane::ALL {
            let chunks: Vec<(u64, u64)> = self.view.lane(lane).chunks().collect();
            for (chunk, last) in chunks {
                let silence = pace::silence(last, room.plan.rate, room.plan.silence);
                let line = self.live.line();
                let gone = line.reap(room.generation, lane, chunk, silence).await?;
                if gone > 0 {
                    metrics::counter!("usher_queue_gone_total").increment(gone);
                }
            }
        }
        Ok(())
    }
}
