//! The coupons of a booking, before its payment is opened.

use tracing::warn;

use super::book::{OPEN_ATTEMPTS_MAX, StepError, open_payment, turn_now};
use super::rest::{database_now, try_later};
use super::{Sagas, moments};
use crate::clients::{Reservation, Reserved};
use crate::domain::booking::Booking;
use crate::domain::saga::{coupons_reserved, reason, without_coupons};
use crate::store::sagas::Saga;

/// Has the coupons reserved and goes on to the payment. Its intent was committed with the opening of the saga; every try has the same key.
pub(super) async fn reserve(sagas: &Sagas, saga: Saga, booking: Booking) -> Result<(), StepError> {
    let Some(reservation_id) = booking.reservation_id else {
        return pay_next(sagas, saga, booking).await;
    };
    let wanted = Reservation {
        reservation_id,
        booking_id: booking.booking_id,
        account_id: booking.account_id,
        coupons: booking.discounts.iter().map(|it| it.coupon_id).collect(),
    };
    let faults = &sagas.inner.faults;
    faults.at(moments::COUPONS.after_intent).await;
    let reserved = sagas.inner.coupons.reserve(&wanted).await;
    faults.at(moments::COUPONS.after_effect).await;
    let (problem, why) = match reserved {
        Reserved::Done => return pay_next(sagas, saga, booking).await,
        Reserved::Refused(problem) => (problem, reason::COUPONS_NOT_USABLE),
        Reserved::Unclear(problem) => {
            let in_time = database_now(sagas).await? < booking.payment_deadline_time;
            if in_time && saga.attempts + 1 < OPEN_ATTEMPTS_MAX {
                return try_later(sagas, saga, &problem).await;
            }
            (problem, reason::COUPONS_UNAVAILABLE)
        }
    };
    warn!(saga_id = %saga.saga_id, booking_id = %booking.booking_id, "coupons cannot be reserved: {problem}");
    let turn = without_coupons(saga.at, why);
    turn_now(sagas, saga, &booking, turn).await?;
    Ok(())
}

async fn pay_next(sagas: &Sagas, saga: Saga, booking: Booking) -> Result<(), StepError> {
    let faults = &sagas.inner.faults;
    faults.at(moments::PAY.before_intent).await;
    let turn = coupons_reserved(saga.at);
    let saga = turn_now(sagas, saga, &booking, turn).await?;
    faults.at(moments::COUPONS.after_result).await;
    match saga {
        Some(saga) => open_payment(sagas, saga, booking).await,
        None => Ok(()),
    }
}
