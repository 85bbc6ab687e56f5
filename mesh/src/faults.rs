//! The seam at which a test halts a process between two steps. In production it is empty and costs a branch.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

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
