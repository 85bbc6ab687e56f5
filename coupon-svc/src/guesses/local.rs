//! The counts of one instance.

use std::collections::HashMap;
use std::time::Duration;

use mesh::clock::Stopwatch;
use uuid::Uuid;

use super::Limits;

/// Accounts that are counted before those whose window is over are forgotten. More have a window only if so many codes are tried in it,
/// which the limit of everybody forbids.
const ACCOUNTS_MAX: usize = 100_000;

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Local {
    all: Option<Count>,
    own: HashMap<Uuid, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Stopwatch,
    wrong: u32,
}

/// How long a window is full, if it is.
fn full(count: Option<&Count>, (most, window): (u32, Duration)) -> Option<Duration> {
    let count = count.filter(|count| count.wrong >= most)?;
    window.checked_sub(count.since.elapsed())
}

/// One more, in a new window where the old one is over.
fn add(count: Option<Count>, window: Duration) -> Count {
    match count.filter(|count| count.since.elapsed() < window) {
        Some(count) => Count {
            wrong: count.wrong.saturating_add(1),
            ..count
        },
        None => Count {
            since: Stopwatch::start(),
            wrong: 1,
        },
    }
}

impl Local {
    pub(super) fn charge(&mut self, account_id: Uuid, limits: &Limits) -> Result<(), Duration> {
        let wait = full(self.own.get(&account_id), limits.own);
        let wait = wait.or_else(|| full(self.all.as_ref(), limits.all));
        if let Some(wait) = wait {
            return Err(wait);
        }
        if self.own.len() >= ACCOUNTS_MAX {
            self.own
                .retain(|_, count| count.since.elapsed() < limits.own.1);
        }
        self.all = Some(add(self.all, limits.all.1));
        let own = add(self.own.get(&account_id).copied(), limits.own.1);
        self.own.insert(account_id, own);
        Ok(())
    }

    pub(super) fn refund(&mut self, account_id: Uuid) {
        if let Some(all) = &mut self.all {
            all.wrong = all.wrong.saturating_sub(1);
        }
        let own = self.own.get_mut(&account_id);
        let left = own.map(|own| {
            own.wrong = own.wrong.saturating_sub(1);
            own.wrong
        });
        if left == Some(0) {
            self.own.remove(&account_id);
        }
    }
}
