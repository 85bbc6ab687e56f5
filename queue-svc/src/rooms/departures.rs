//! Sessions that are over, handed to the lines: noted in Postgres with the message that told of them, so that no loss of Redis and no crash
//! forgets one. Every instance hands over; a line that knows already changes nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use mesh::pg::{Connection, TxError};
use mesh::status::chain;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::{Live, Rooms};
use crate::credentials::KeyRing;
use crate::credentials::ticket::tag;
use crate::store;
use crate::store::shows::Departure;

/// A pass is renewed every 20 s: whoever bought a second ago gets none.
const HAND_OVER_EVERY: Duration = Duration::from_secs(1);
/// Sessions of one look: about a millisecond of Redis.
const SESSIONS_AT_ONCE: i64 = 256;
/// How often departures that are done with are removed, in looks.
const SWEEP_EVERY: u32 = 60;

pub(super) async fn run(rooms: Rooms, ring: KeyRing, stop: CancellationToken) {
    let mut looks: u32 = 0;
    while !stop.is_cancelled() {
        if let Err(error) = look(&rooms, &ring, looks.is_multiple_of(SWEEP_EVERY)).await {
            warn!(error = chain(&error), "ended sessions cannot be read");
        }
        looks = looks.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(HAND_OVER_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn look(rooms: &Rooms, ring: &KeyRing, sweep: bool) -> Result<(), TxError<Infallible>> {
    let database = rooms.inner.parts.database.background();
    if sweep {
        let work = async |connection: &mut Connection| {
            Ok(store::shows::forget_departures(connection).await?)
        };
        database.transaction("sweep departures", work).await?;
    }
    let ready: BTreeMap<Uuid, Arc<Live>> = rooms
        .everything()
        .into_iter()
        .filter(|live| is_ready(live))
        .map(|live| (live.room().show_id, live))
        .collect();
    loop {
        let shows: Vec<Uuid> = ready.keys().copied().collect();
        let read = async move |connection: &mut Connection| {
            store::shows::departures(connection, &shows, SESSIONS_AT_ONCE).await
        };
        let departures = database.read(read).await?;
        let mut all = true;
        for of_show in departures.chunk_by(|left, right| left.show_id == right.show_id) {
            let Some(generation) = hand_over(&ready, ring, of_show).await else {
                all = false;
                continue;
            };
            let told = of_show.to_vec();
            let work = async move |connection: &mut Connection| {
                Ok(store::shows::note_told(connection, &told, generation).await?)
            };
            database.transaction("departures told", work).await?;
        }
        let more = i64::try_from(departures.len()).is_ok_and(|count| count >= SESSIONS_AT_ONCE);
        if !(all && more) {
            return Ok(());
        }
    }
}

/// While a room recovers, sessions that it has forgotten may come back: it is told after that.
fn is_ready(live: &Live) -> bool {
    let view = live.view();
    live.is_reached() && view.now >= view.hold
}

/// Tells a line of sessions that are over; answers its generation if it knows of them now.
async fn hand_over(
    ready: &BTreeMap<Uuid, Arc<Live>>,
    ring: &KeyRing,
    of_show: &[Departure],
) -> Option<i64> {
    let live = ready.get(&of_show.first()?.show_id)?;
    let room = live.room();
    let departed: Vec<_> = of_show
        .iter()
        .map(|row| {
            let tag = tag(ring, row.show_id, room.epoch, row.account_id, room.buckets);
            (tag, row.depart_time.timestamp_millis())
        })
        .collect();
    if let Err(error) = live.line().depart(room.generation, &departed).await {
        live.suspect(&error);
        let error = chain(&error);
        warn!(show_id = %room.show_id, error, "sessions that are over go on for now");
        return None;
    }
    i64::try_from(room.generation).ok()
}
