//! One batch, inside its transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use mesh::pg::{self, Connection, TxError};
use mesh::trace::{self, TraceParent};
use uuid::Uuid;

use super::{InventoryOptions, Rider, levels};
use crate::domain::hold::{Hold, UnitKey, buyer};
use crate::domain::inventory::{CapKey, Change, Command, Decision, Rejection, Snapshot, decide};
use crate::store::holds::{self, Lock};
use crate::store::inventory as store;

/// A command and what rides with it.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) command: Command,
    pub(super) rider: Option<Arc<dyn Rider>>,
    /// Trace of whoever asked: what the rider publishes belongs to it, not to the batch.
    pub(super) trace: Option<TraceParent>,
}

/// What became of a command.
pub(super) enum Outcome {
    Done(Hold),
    Rejected(Rejection),
    Fenced,
}

/// Locks, reads, decides in order, writes.
pub(super) async fn run(
    connection: &mut Connection,
    items: &[Item],
    options: InventoryOptions,
) -> Result<Vec<Outcome>, TxError<Infallible>> {
    let wanted = lock_riders(connection, items).await?;
    let before = read(connection, items, options).await?;
    let now = pg::now(connection).await?;
    let mut after = before.clone();
    let mut changes: Vec<Change> = Vec::new();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(items.len());
    for (item, wanted) in items.iter().zip(wanted) {
        if !wanted {
            outcomes.push(Outcome::Fenced);
            continue;
        }
        outcomes.push(match decide(&after, &item.command, now) {
            Err(rejection) => Outcome::Rejected(rejection),
            Ok(Decision::Unchanged(hold)) => Outcome::Done(hold),
            Ok(Decision::Change(change)) => {
                after.apply(&change);
                let hold = change.hold.clone();
                changes.push(change);
                Outcome::Done(hold)
            }
        });
    }
    let passed = store::write(connection, &before, &after, &changes).await?;
    if !store::burn(connection, &changes).await? {
        return Err(TxError::Conflict);
    }
    levels::tell(connection, &passed).await?;
    for (item, outcome) in items.iter().zip(&outcomes) {
        if let (Some(rider), Outcome::Done(hold)) = (&item.rider, outcome) {
            trace::within(item.trace, rider.write(connection, hold)).await?;
        }
    }
    Ok(outcomes)
}

/// Sagas and bookings come first in the lock order, ascending.
async fn lock_riders(
    connection: &mut Connection,
    items: &[Item],
) -> Result<Vec<bool>, TxError<Infallible>> {
    let mut wanted = vec![true; items.len()];
    let mut riders: Vec<(usize, &Arc<dyn Rider>)> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| item.rider.as_ref().map(|rider| (index, rider)))
        .collect();
    riders.sort_by_key(|(_, rider)| rider.order());
    for (index, rider) in riders {
        let still = rider.lock(connection).await?;
        if let Some(wanted) = wanted.get_mut(index) {
            *wanted = still;
        }
    }
    Ok(wanted)
}

async fn read(
    connection: &mut Connection,
    items: &[Item],
    options: InventoryOptions,
) -> Result<Snapshot, TxError<Infallible>> {
    let hold_ids: BTreeSet<Uuid> = items.iter().map(|item| item.command.hold_id()).collect();
    let hold_ids: Vec<Uuid> = hold_ids.into_iter().collect();
    let mut pools: BTreeSet<Uuid> = holds::pools_of(connection, &hold_ids)
        .await?
        .into_iter()
        .map(|(_, pool_id)| pool_id)
        .collect();
    let mut units: BTreeSet<UnitKey> = BTreeSet::new();
    let mut buyers: BTreeSet<CapKey> = BTreeSet::new();
    for item in items {
        if let Command::Hold(hold) = &item.command {
            pools.extend(hold.wishes.iter().map(|wish| wish.unit.pool_id));
            units.extend(hold.wishes.iter().map(|wish| wish.unit));
        }
    }
    let mut snapshot = Snapshot::default();
    store::lock_pools(
        connection,
        &pools,
        options.pool_lock,
        options.ttl_divisor,
        &mut snapshot,
    )
    .await?;
    snapshot.holds = holds::load(connection, &hold_ids, Lock::ForUpdate).await?;
    for item in items {
        if let Command::Hold(hold) = &item.command {
            let who = buyer(hold.account_id, hold.buyer_reference.as_deref());
            let shows = hold
                .wishes
                .iter()
                .filter_map(|wish| snapshot.pools.get(&wish.unit.pool_id));
            buyers.extend(shows.map(|pool| (pool.show_id, who.clone())));
        }
    }
    for hold in snapshot.holds.values() {
        units.extend(hold.lines.iter().map(|line| line.unit));
        buyers.extend(hold.lines.iter().map(|line| (line.show_id, hold.buyer())));
    }
    let maxima: BTreeMap<CapKey, i32> = buyers
        .into_iter()
        .map(|key| {
            let max = snapshot
                .shows
                .get(&key.0)
                .map_or(0, |show| show.units_per_buyer_max);
            (key, max)
        })
        .collect();
    snapshot.caps = store::lock_caps(connection, &maxima).await?;
    snapshot.units = store::load_units(connection, &units).await?;
    let passes = items.iter().filter_map(|item| match &item.command {
        Command::Hold(hold) => Some(&hold.admitted),
        _ => None,
    });
    let strict = passes.flatten().filter(|pass| pass.strict);
    snapshot.burned = store::burned(connection, &strict.map(|pass| pass.place).collect()).await?;
    Ok(snapshot)
}
