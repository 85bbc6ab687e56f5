//! Room for streamed answers: so many in all, and so many for each subject, so that nobody takes all of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mesh::random;
use mesh::status::{RATE_LIMITED, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::door::{RETRY, overloaded};
use crate::limits::Limits;

/// Whose stream it is: the account, or the network of a caller without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Account(Uuid),
    Address(IpAddr),
}

/// The places of all streams.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    taken: Mutex<HashMap<Subject, usize>>,
    each: usize,
}

/// One place, given back when it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    subject: Subject,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(limits.streams)),
            taken: Mutex::default(),
            each: limits.streams_per_account,
        })
    }

    /// Takes a place.
    pub(crate) fn take(self: &Arc<Self>, subject: Subject) -> Result<Place, Refusal> {
        let permit = Arc::clone(&self.all).try_acquire_owned();
        let permit = permit.map_err(|_| overloaded())?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(subject).or_default();
        if *own >= self.each {
            let refusal = RATE_LIMITED.refuse("this subject has too many streams open");
            return Err(refusal.retry_after(RETRY + random::jitter(RETRY)));
        }
        *own += 1;
        drop(taken);
        Ok(Place {
            places: Arc::clone(self),
            subject,
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.subject) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.subject);
            }
        }
    }
}
