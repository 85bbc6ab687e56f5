//! What every request shares: the book, the rates, the tasks, and the wire to the listener.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesh::config::Secret;
use mesh::tasks::Tasks;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::book::{Book, Now};
use crate::fault::Rates;

/// The shared state. Locks are held for one change of the book, never across an await.
#[derive(Debug)]
pub(crate) struct Desk {
    book: Mutex<Book>,
    pub(crate) secret: Secret,
    pub(crate) rates: Rates,
    pub(crate) tasks: Tasks,
    /// Times for which nobody listens, on their way to the listener.
    pub(crate) outages: mpsc::Sender<Duration>,
}

impl Desk {
    pub(crate) fn new(
        secret: Secret,
        rates: Rates,
        tasks: Tasks,
        outages: mpsc::Sender<Duration>,
    ) -> Self {
        Self {
            book: Mutex::default(),
            secret,
            rates,
            tasks,
            outages,
        }
    }

    /// The book, for one change.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads both clocks.
pub(crate) fn now() -> Now {
    Now {
        wall: mesh::clock::now(),
        tick: Instant::now(),
    }
}
