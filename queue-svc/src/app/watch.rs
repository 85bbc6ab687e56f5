//! Watch: polls on behalf of people next to the head, so that they hear of each step at once. From memory, like a poll.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::{Answer, Outlook, Place, Refusal};
use super::wait::Waiting;

/// How often a place is looked at: people see numbers change, not faster.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A place that does not move is told again: counts and waits have changed, and whoever is in between sees that the stream lives.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Only whoever comes in within this time is worth a stream; others poll.
const REACH: Duration = Duration::from_secs(120);
/// In a slow room so many may watch all the same.
const REACH_MIN: u64 = 100;

/// Who watches on this instance. Clones share it.
#[derive(Clone, Debug)]
pub struct Watching {
    /// The use cases of people.
    pub waiting: Waiting,
    seats: Arc<Semaphore>,
    watchers: Arc<Watchers>,
    stopping: CancellationToken,
}

#[derive(Debug, Default)]
struct Watchers {
    next: AtomicU64,
    newest: Mutex<HashMap<(Uuid, Uuid), Newest>>,
}

#[derive(Debug)]
struct Newest {
    number: u64,
    taken_over: CancellationToken,
}

/// One stream among those of its account.
struct Watcher {
    key: (Uuid, Uuid),
    number: u64,
    taken_over: CancellationToken,
    watchers: Arc<Watchers>,
    _seat: OwnedSemaphorePermit,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut newest = lock(&self.watchers.newest);
        if newest
            .get(&self.key)
            .is_some_and(|newest| newest.number == self.number)
        {
            newest.remove(&self.key);
        }
        metrics::gauge!("usher_queue_streams").decrement(1.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watching {
    /// Nobody watches yet. Every stream ends when `stopping` is cancelled.
    #[must_use]
    pub fn new(waiting: Waiting, streams_max: usize, stopping: CancellationToken) -> Self {
        Self {
            waiting,
            seats: Arc::new(Semaphore::new(streams_max)),
            watchers: Arc::default(),
            stopping,
        }
    }

    /// The states of a place from now on, until it waits no more or stands far away.
    pub async fn watch(
        &self,
        show_id: Uuid,
        account_id: Uuid,
        ticket: String,
        shown: u64,
    ) -> Result<impl Stream<Item = Result<Answer, Refusal>> + use<>, Refusal> {
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        let seat = seat.map_err(|_| Refusal::Crowded)?;
        let first = self
            .waiting
            .poll(show_id, account_id, &ticket, shown)
            .await?;
        let watch = Watch {
            watcher: self.register((show_id, account_id), seat),
            waiting: self.waiting.clone(),
            stopping: self.stopping.clone(),
            show_id,
            account_id,
            ticket,
            shown,
            next: Some(first),
            last: None,
            told: Instant::now(),
            over: false,
        };
        Ok(unfold(watch, async |mut watch| {
            let answer = watch.next().await?;
            Some((answer, watch))
        }))
    }

    fn register(&self, key: (Uuid, Uuid), seat: OwnedSemaphorePermit) -> Watcher {
        let number = self.watchers.next.fetch_add(1, Ordering::Relaxed);
        let taken_over = CancellationToken::new();
        let newest = Newest {
            number,
            taken_over: taken_over.clone(),
        };
        if let Some(older) = lock(&self.watchers.newest).insert(key, newest) {
            older.taken_over.cancel();
        }
        metrics::gauge!("usher_queue_streams").increment(1.0);
        Watcher {
            key,
            number,
            taken_over,
            watchers: Arc::clone(&self.watchers),
            _seat: seat,
        }
    }
}

struct Watch {
    watcher: Watcher,
    waiting: Waiting,
    stopping: CancellationToken,
    show_id: Uuid,
    account_id: Uuid,
    ticket: String,
    shown: u64,
    /// Read and not looked at yet.
    next: Option<Answer>,
    /// Told last.
    last: Option<Answer>,
    told: Instant,
    over: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Answer, Refusal>> {
        while !self.over {
            let looked = match self.next.take() {
                Some(first) => Ok(first),
                None => self.look().await,
            };
            match looked {
                Ok(answer) if self.is_news(&answer) => return Some(Ok(self.tell(answer))),
                // Places are kept, and so is the stream: everybody at once would come back otherwise.
                Ok(_) | Err(Refusal::Unavailable(_)) => {}
                Err(refusal) => {
                    self.over = true;
                    return Some(Err(refusal));
                }
            }
        }
        None
    }

    async fn look(&mut self) -> Result<Answer, Refusal> {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = self.watcher.taken_over.cancelled() => return self.taken_over(),
            () = self.stopping.cancelled() => return Err(Refusal::Stopping),
        }
        self.waiting
            .poll(self.show_id, self.account_id, &self.ticket, self.shown)
            .await
    }

    fn taken_over(&self) -> Result<Answer, Refusal> {
        let last = self.last.clone().ok_or(Refusal::Stopping)?;
        Ok(Answer {
            place: Place::TakenOver,
            ticket: None,
            ..last
        })
    }

    /// Whether anything changed that people see, or it is time to say that nothing did.
    fn is_news(&self, answer: &Answer) -> bool {
        let Some(last) = &self.last else {
            return true;
        };
        let seen = |answer: &Answer| {
            let place = match &answer.place {
                Place::Waiting {
                    position,
                    late,
                    outlook,
                    ..
                } => Some((*position, *late, *outlook)),
                Place::Entered { entry } => Some((*entry, false, Outlook::Open)),
                _ => None,
            };
            (place, answer.paused, answer.open_time)
        };
        answer.ticket.is_some()
            || !matches!(answer.place, Place::Waiting { .. } | Place::Entered { .. })
            || matches!(answer.place, Place::Waiting { .. })
                != matches!(last.place, Place::Waiting { .. })
            || seen(answer) != seen(last)
            || self.told.elapsed() >= TELL_EVERY
    }

    fn tell(&mut self, mut answer: Answer) -> Answer {
        if let Some(ticket) = &answer.ticket {
            self.ticket.clone_from(ticket);
        }
        match &mut answer.place {
            Place::Waiting { position, late, .. } => {
                let reach = u64::from(answer.rate).saturating_mul(REACH.as_secs());
                self.over = !*late && *position > reach.max(REACH_MIN);
                self.shown = *position;
            }
            // Half an hour before the draw nothing happens; whoever is next in another room needs the seat.
            Place::Entered { .. } => {
                let reach = chrono::Duration::from_std(REACH).unwrap_or_default();
                self.over = answer
                    .open_time
                    .is_some_and(|time| time > mesh::clock::now() + reach);
            }
            Place::Admitted { pass, .. } => {
                pass.clear();
                self.over = true;
            }
            _ => self.over = true,
        }
        self.told = Instant::now();
        self.last = Some(answer.clone());
        answer
    }
}
