//! WatchBooking: the present state, then each change, until a final one.

use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use mesh::pg::Database;
use proto::usher::booking::v1 as pb;
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use super::bookings::present;
use super::status::{down, sale};
use crate::app::create_booking::wait_for;
use crate::app::reads::{self, Reader};
use crate::domain::booking::Booking;

/// Another instance's changes are seen this soon. Changes of this one are told at once; a thousand watchers ask a thousand times a second.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

struct Watch {
    database: Database,
    changes: Receiver<Uuid>,
    reader: Reader,
    last: Booking,
    told: bool,
    over: bool,
    stopping: CancellationToken,
}

/// The states of a booking from `first` on. The deadline of the method ends it from outside.
pub(super) fn watch(
    database: Database,
    changes: Receiver<Uuid>,
    first: Booking,
    reader: Reader,
    stopping: CancellationToken,
) -> impl Stream<Item = Result<pb::WatchBookingResponse, Status>> {
    let start = Watch {
        database,
        changes,
        reader,
        last: first,
        told: false,
        over: false,
        stopping,
    };
    unfold(start, async |mut watch| {
        if watch.over {
            return None;
        }
        let told = watch.next().await;
        watch.over |= told.is_err();
        Some((told, watch))
    })
}

impl Watch {
    async fn next(&mut self) -> Result<pb::WatchBookingResponse, Status> {
        while self.told {
            let look = Instant::now() + LOOK_AGAIN;
            tokio::select! {
                () = wait_for(&mut self.changes, self.last.booking_id, look) => {}
                // A stream has no end of its own: the drain would wait for it until its limit.
                () = self.stopping.cancelled() => return Err(down("this instance stops; watch again")),
            }
            let pulse = reads::pulse(&self.database, self.last.booking_id).await;
            if pulse
                .map_err(sale::unread)?
                .is_some_and(|(version, _)| version != self.last.version)
            {
                let read = reads::booking(&self.database, self.last.booking_id, self.reader).await;
                self.last = read.map_err(sale::unread)?.ok_or_else(sale::no_booking)?;
                self.told = false;
            }
        }
        self.told = true;
        self.over = self.last.state.is_final();
        let booking = Some(present(&self.database, &self.last).await?);
        Ok(pb::WatchBookingResponse { booking })
    }
}
