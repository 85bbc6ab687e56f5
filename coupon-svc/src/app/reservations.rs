//! What bookings do with coupons: reserve by a call; commit, release and restore by command.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::pg::{self, Connection, Database, DomainError, TxError};
use mesh::tasks::Tasks;
use mesh::{clock, outbox};
use thiserror::Error;
use tracing::error;
use uuid::Uuid;

use super::revocations;
use crate::domain::best::{Unused, WhyNot};
use crate::domain::coupon::{Coupon, State as Standing};
use crate::domain::reservation::{
    OLD_AFTER, Order, Refused, Reservation, State, Turn, expiry_after_restore, turn,
};
use crate::publish;
use crate::store::coupons::{self, CouponLock};
use crate::store::reservations::{self, Returning};

/// How often it is looked for reservations that nobody ended: an alarm about something that is a day old may be minutes late.
const WATCH: Duration = Duration::from_secs(60);

/// Why nothing was done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// These coupons cannot be used.
    #[error("{} of the coupons cannot be used", .0.len())]
    NotUsable(Vec<Unused>),
    /// Not in this state.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The id reserves something else.
    #[error("the request_id was used for other coupons")]
    Reused,
}

impl DomainError for Refusal {}

/// Why nothing was done, or may not have been.
pub type Error = TxError<Refusal>;

/// What a booking wants to reserve.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Id of the reservation.
    pub reservation_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
    /// Owner of the coupons.
    pub account_id: Uuid,
    /// Coupons.
    pub coupons: BTreeSet<Uuid>,
}

/// Reserves coupons for a booking: all of them or none. Repeated, it answers the same reservation.
pub async fn reserve(connection: &mut Connection, wanted: &Wanted) -> Result<Reservation, Error> {
    let (reservation_id, account_id) = (wanted.reservation_id, wanted.account_id);
    let new = Reservation {
        reservation_id,
        booking_id: wanted.booking_id,
        account_id: Some(account_id),
        state: State::Reserved,
        coupons: wanted.coupons.iter().copied().collect(),
    };
    if !reservations::insert(connection, &new).await? {
        return known(connection, &new).await;
    }
    let found = coupons::lock(connection, &new.coupons, CouponLock::On).await?;
    let now = pg::now(connection).await?;
    let unusable = new.coupons.iter().filter_map(|&coupon_id| {
        let mine = found.get(&coupon_id);
        let mine = mine.filter(|coupon| coupon.account_id == account_id);
        let reason = match mine {
            None => WhyNot::Unknown,
            Some(coupon) => unusable(coupon, now)?,
        };
        Some(Unused { coupon_id, reason })
    });
    let unusable: Vec<Unused> = unusable.collect();
    if !unusable.is_empty() {
        return Err(Refusal::NotUsable(unusable).into());
    }
    reservations::hold(connection, reservation_id, &new.coupons).await?;
    Ok(new)
}

/// What stands in the way of a coupon, its order aside: the order was quoted with it.
fn unusable(coupon: &Coupon, now: DateTime<Utc>) -> Option<WhyNot> {
    match coupon.state(now) {
        Standing::Available if now < coupon.valid_from => Some(WhyNot::NotYetValid {
            from: coupon.valid_from,
        }),
        Standing::Available => None,
        Standing::Reserved => Some(WhyNot::Reserved),
        Standing::Used => Some(WhyNot::Used),
        Standing::Expired => Some(WhyNot::Expired {
            at: coupon.expire_time,
        }),
        Standing::Revoked => Some(WhyNot::Revoked),
    }
}

async fn known(connection: &mut Connection, new: &Reservation) -> Result<Reservation, Error> {
    let found = reservations::lock(connection, new.reservation_id).await?;
    let found = found.ok_or(Refusal::Refused(Refused::NotFound))?;
    match found.state {
        State::Released => Err(Refusal::Refused(Refused::Released).into()),
        State::Used | State::Restored => Err(Refusal::Refused(Refused::Used).into()),
        State::Reserved if found == *new => Ok(found),
        State::Reserved => Err(Refusal::Reused.into()),
    }
}

/// Carries an order about a reservation out. `returning`: the coupons that a [`Order::Restore`] gives back; others ignore it.
pub async fn order(
    connection: &mut Connection,
    booking_id: Uuid,
    reservation_id: Uuid,
    order: Order,
    returning: &[Uuid],
) -> Result<(), Error> {
    let mut found = reservations::lock(connection, reservation_id).await?;
    if found.is_none() && order == Order::Release {
        let tombstone = Reservation {
            reservation_id,
            booking_id,
            account_id: None,
            state: State::Released,
            coupons: Vec::new(),
        };
        if reservations::insert(connection, &tombstone).await? {
            return Ok(());
        }
        // It was reserved in between.
        found = reservations::lock(connection, reservation_id).await?;
    }
    let decided = turn(found.as_ref().map(|one| one.state), order);
    let decided = decided.map_err(Refusal::Refused)?;
    let Some(reservation) = found else {
        return Ok(());
    };
    match decided {
        Turn::Stay | Turn::Tombstone => {}
        Turn::GiveBack => {
            let gone = reservations::give_back(connection, reservation_id).await?;
            revocations::tell(connection, &gone).await?;
        }
        Turn::Use => use_up(connection, &reservation).await?,
        Turn::Restore => restore(connection, &reservation, returning).await?,
        Turn::UseAndRestore => {
            use_up(connection, &reservation).await?;
            restore(connection, &reservation, returning).await?;
        }
    }
    Ok(())
}

async fn use_up(connection: &mut Connection, reservation: &Reservation) -> Result<(), Error> {
    let gone = reservations::use_up(connection, reservation.reservation_id).await?;
    let now = pg::now(connection).await?;
    let events = reservation.coupons.iter();
    let events = events.map(|id| (*id, publish::used(reservation, *id, now)));
    outbox::append_all(connection, &events.collect::<Vec<_>>()).await?;
    Ok(revocations::tell(connection, &gone).await?)
}

async fn restore(
    connection: &mut Connection,
    reservation: &Reservation,
    returning: &[Uuid],
) -> Result<(), Error> {
    let reservation_id = reservation.reservation_id;
    let now = pg::now(connection).await?;
    let used = reservations::lock_used(connection, reservation_id, returning).await?;
    let back = used.into_iter().map(|coupon| Returning {
        expire_time: expiry_after_restore(coupon.expire_time, now),
        ..coupon
    });
    let back: Vec<Returning> = back.collect();
    let mut gone = reservations::restore(connection, reservation_id, &back).await?;
    let revoked: HashSet<Uuid> = gone.iter().map(|one| one.coupon_id).collect();
    let usable = back.iter();
    let usable = usable.filter(|coupon| !revoked.contains(&coupon.coupon_id));
    let events = usable.map(|coupon| {
        let event = publish::restored(reservation, coupon.coupon_id, coupon.expire_time, now);
        (coupon.coupon_id, event)
    });
    outbox::append_all(connection, &events.collect::<Vec<_>>()).await?;
    // Of those that were REVOKED before it is known.
    let before = back.iter().filter(|coupon| coupon.gone);
    let before: HashSet<Uuid> = before.map(|coupon| coupon.coupon_id).collect();
    gone.retain(|one| !before.contains(&one.coupon_id));
    Ok(revocations::tell(connection, &gone).await?)
}

/// Says when reservations stay open that a booking should have ended long ago.
pub fn keep_watched(database: &Database, tasks: &Tasks) {
    let database = database.clone();
    tasks.keep_running("reservation watch", move |stop| {
        let database = database.clone();
        async move {
            while !stop.is_cancelled() {
                look_for_old(&database).await;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(WATCH) => {}
                }
            }
        }
    });
}

async fn look_for_old(database: &Database) {
    let then = clock::now() - OLD_AFTER;
    let read = async move |connection: &mut Connection| reservations::old(connection, then).await;
    // Without the database other alarms ring.
    let Ok((oldest, count)) = database.read(read).await else {
        return;
    };
    // As a float, which is what gauges are; no database holds as many as it cannot count.
    metrics::gauge!("usher_coupon_reservations_old").set(u32::try_from(count).unwrap_or(u32::MAX));
    if let Some(reservation_id) = oldest {
        error!(%reservation_id, "{count} reservations are older than a day, the oldest is {reservation_id}: their bookings neither ended nor gave up");
    }
}
