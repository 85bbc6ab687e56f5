//! Owned tasks: each has a name, is joined at shutdown, and a panic in it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info_span, warn};

use crate::{random, trace};

/// Blocking calls at once (password hashing, image drawing): more would only queue behind two cores.
const BLOCKING_MAX: usize = 8;

/// Pause before a task that must always run is started again, doubled up to [`RESTART_CAP`].
const RESTART_BASE: Duration = Duration::from_millis(100);
/// Longest pause between two starts of a task that must always run.
const RESTART_CAP: Duration = Duration::from_secs(10);

static BLOCKING: Semaphore = Semaphore::const_new(BLOCKING_MAX);

/// The tasks of one process. Clones share them.
#[derive(Clone, Default)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    tracker: TaskTracker,
    stop: CancellationToken,
    next: AtomicU64,
    running: Mutex<BTreeMap<u64, &'static str>>,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tasks")
            .field("running", &self.names())
            .finish()
    }
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process begins to stop. Loops end on it; work in progress is finished.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.inner.stop.clone()
    }

    /// Runs `work` to its end, also when nobody waits for it any more: a caller that goes away leaves no half-done write.
    pub fn spawn<T, F>(&self, name: &'static str, work: F) -> JoinHandle<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let entry = Entry::new(&self.inner, name);
        let span = info_span!("task", task = name);
        let trace = trace::current();
        let owned = async move {
            let _entry = entry;
            trace::within(trace, work).await
        };
        self.inner.tracker.spawn(owned.instrument(span))
    }

    /// Runs `work` and waits for it. When the caller is dropped the work still ends.
    pub async fn run<T, F>(&self, name: &'static str, work: F) -> Result<T, JoinError>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn(name, work).await
    }

    /// Runs a loop that has to live as long as the process. It is started again, with growing pauses, when it panics or returns early.
    pub fn keep_running<F, W>(&self, name: &'static str, start: F)
    where
        F: Fn(CancellationToken) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stopping();
        self.spawn(name, async move {
            let mut attempt = 0;
            loop {
                let outcome = AssertUnwindSafe(start(stop.clone())).catch_unwind().await;
                if stop.is_cancelled() {
                    return;
                }
                metrics::counter!("usher_task_restarts_total", "task" => name).increment(1);
                match outcome {
                    Ok(()) => warn!(task = name, "{name} ended early and is started again"),
                    Err(_) => error!(task = name, "{name} panicked and is started again"),
                }
                let pause = random::backoff(attempt, RESTART_BASE, RESTART_CAP);
                attempt = attempt.saturating_add(1);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    /// Names of the tasks that run now.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let running = self
            .inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.values().copied().collect()
    }

    /// Tells every loop to end and waits for all tasks, at most `limit`. Answers the names of those that were left.
    pub async fn shutdown(&self, limit: Duration) -> Vec<&'static str> {
        self.inner.stop.cancel();
        self.inner.tracker.close();
        if tokio::time::timeout(limit, self.inner.tracker.wait())
            .await
            .is_ok()
        {
            return Vec::new();
        }
        let left = self.names();
        warn!(tasks = ?left, "tasks did not end within {limit:?}");
        left
    }
}

/// Runs `work` on a thread that may block, with a bound on how many do so at once.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub async fn blocking<T, F>(work: F) -> Result<T, JoinError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let _permit = BLOCKING.acquire().await; // never closed
    tokio::task::spawn_blocking(work).await
}

struct Entry {
    inner: Arc<Inner>,
    number: u64,
}

impl Entry {
    fn new(inner: &Arc<Inner>, name: &'static str) -> Self {
        let number = inner.next.fetch_add(1, Ordering::Relaxed);
        let mut running = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(number, name);
        drop(running);
        Self {
            inner: Arc::clone(inner),
            number,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut running = self
            .inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_ends_although_its_caller_went_away() {
        let tasks = Tasks::new();
        let (go, wait) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let caller = tasks.run("write", async move {
            wait.await.unwrap();
            done.send(7).unwrap();
        });
        drop(tokio::time::timeout(Duration::from_millis(1), caller).await);
        go.send(()).unwrap();
        assert_eq!(finished.await, Ok(7));
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }

    #[tokio::test]
    async fn shutdown_names_what_does_not_end() {
        let tasks = Tasks::new();
        tasks.spawn("stuck", std::future::pending::<()>());
        let stop = tasks.stopping();
        tasks.spawn("polite", async move { stop.cancelled().await });
        assert_eq!(tasks.shutdown(Duration::from_millis(20)).await, ["stuck"]);
    }

    #[tokio::test]
    async fn a_loop_that_panics_is_started_again() {
        let tasks = Tasks::new();
        let starts = Arc::new(AtomicU64::new(0));
        let (count, (seen, mut third)) = (Arc::clone(&starts), tokio::sync::mpsc::channel(1));
        tasks.keep_running("fragile", move |stop| {
            let (count, seen) = (Arc::clone(&count), seen.clone());
            async move {
                if count.fetch_add(1, Ordering::Relaxed) < 2 {
                    panic!("as the test asked");
                }
                seen.send(()).await.unwrap();
                stop.cancelled().await;
            }
        });
        third.recv().await.unwrap();
        assert_eq!(starts.load(Ordering::Relaxed), 3);
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }
}
