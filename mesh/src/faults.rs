//! The seam at which a test halts a process between two steps. In production it is empty and costs a branch.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// What a test does at the fault points. Clones share it.
#[derive(Clone, Default)]
pub struct Faults {
    hook: Option<Arc<Hook>>,
}

type Hook = dyn Fn(&'static str) -> BoxFuture<'static, ()> + Send + Sync;

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Faults")
            .field("active", &self.hook.is_some())
            .finish()
    }
}

impl Faults {
    /// Nothing ever happens.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// `hook` runs at every point; the task goes on when it is done, so one that never ends halts the task as a crash would.
    pub fn new<F, W>(hook: F) -> Self
    where
        F: Fn(&'static str) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self {
            hook: Some(Arc::new(move |point| hook(point).boxed())),
        }
    }

    /// Passes the fault point of this name.
    pub async fn at(&self, point: &'static str) {
        if let Some(hook) = &self.hook {
            hook(point).await;
        }
    }
}

/// Halts whoever comes first to a fault point, until it is let go. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Halt {
    passed: Arc<AtomicU32>,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Halt {
    /// The hook for [`Faults`]: it halts at the point `place`.
    #[must_use]
    pub fn at(&self, place: &'static str) -> Faults {
        let halt = self.clone();
        Faults::new(move |point| {
            let halt = halt.clone();
            async move {
                if point == place && halt.passed.fetch_add(1, Ordering::SeqCst) == 0 {
                    halt.reached.notify_one();
                    halt.go.notified().await;
                }
            }
        })
    }

    /// Waits until somebody is halted.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets go whoever is halted; nobody is halted any more.
    pub fn go(&self) {
        self.go.notify_one();
    }

    /// How often the point was passed, the halted pass included.
    #[must_use]
    pub fn passed(&self) -> u32 {
        self.passed.load(Ordering::SeqCst)
    }
}
