//! Domain facts as messages.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use mesh::clock;
use mesh::money::Money;
use proto::usher::booking::events::v1::{
    BookingCancelled, BookingConfirmed, BookingFailed, BookingStarted, CommitCouponsCommand,
    ConfirmedLine, GradeLevel, InventoryLevel, RefundPaymentCommand, ReleaseCouponsCommand,
    RestoreCouponsCommand, ShowPublished,
};
use uuid::Uuid;

use crate::domain::booking::Booking;
use crate::domain::cancellation::Cancellation;
use crate::domain::hold::Hold;
use crate::domain::inventory::{self, PoolLevel};
use crate::domain::show::Show;

/// A booking was opened on `hold`, which costs `total` with its coupons.
#[must_use]
pub fn started(booking_id: Uuid, hold: &Hold, total: Money) -> BookingStarted {
    BookingStarted {
        booking_id: booking_id.to_string(),
        account_id: hold.account_id.to_string(),
        hold_id: hold.hold_id.to_string(),
        total: Some(total.into()),
    }
}

/// A booking was sold.
#[must_use]
pub fn confirmed(booking: &Booking, confirm_time: DateTime<Utc>) -> BookingConfirmed {
    let lines = booking.lines.iter().map(|line| {
        let (discount, platform_pays) = booking.discount_of(line);
        ConfirmedLine {
            line_no: line.line_no.unsigned_abs(),
            show_id: line.show_id.to_string(),
            performance_id: line.performance_id.to_string(),
            pool_id: line.unit.pool_id.to_string(),
            ord: line.unit.ord.unsigned_abs(),
            grade: line.grade.clone(),
            quantity: line.quantity.unsigned_abs(),
            unit_price: Some(line.unit_price.into()),
            discount: Some(discount.into()),
            platform_pays: Some(platform_pays.into()),
        }
    });
    BookingConfirmed {
        booking_id: booking.booking_id.to_string(),
        account_id: booking.account_id.to_string(),
        show_ids: show_ids(booking),
        lines: lines.collect(),
        total: Some(booking.total.into()),
        payment_id: booking.payment_id.to_string(),
        confirm_time: Some(clock::to_timestamp(confirm_time)),
    }
}

/// The coupons of a booking are used; `None`: it has none.
#[must_use]
pub fn commit_coupons(booking: &Booking) -> Option<CommitCouponsCommand> {
    Some(CommitCouponsCommand {
        reservation_id: booking.reservation_id?.to_string(),
        booking_id: booking.booking_id.to_string(),
    })
}

/// Lines of a booking were given back.
#[must_use]
pub fn cancelled(
    booking: &Booking,
    cancellation_id: Uuid,
    cancelled: &Cancellation,
    time: DateTime<Utc>,
) -> BookingCancelled {
    BookingCancelled {
        booking_id: booking.booking_id.to_string(),
        account_id: booking.account_id.to_string(),
        cancellation_id: cancellation_id.to_string(),
        line_nos: cancelled.lines.keys().map(|it| it.unsigned_abs()).collect(),
        refund: Some(cancelled.refund.into()),
        whole: cancelled.whole,
        show_ids: show_ids(booking),
        cancel_time: Some(clock::to_timestamp(time)),
    }
}

/// Money of a cancellation goes back; `None`: nothing was paid for its lines.
#[must_use]
pub fn refund(
    booking: &Booking,
    (cancellation_id, reason): (Uuid, &str),
    cancelled: &Cancellation,
) -> Option<RefundPaymentCommand> {
    (cancelled.refund.minor_units > 0).then(|| RefundPaymentCommand {
        refund_id: cancellation_id.to_string(),
        payment_id: booking.payment_id.to_string(),
        booking_id: booking.booking_id.to_string(),
        amount: Some(cancelled.refund.into()),
        reason: reason.to_owned(),
    })
}

/// Coupons of which no line is left go back; `None`: there is none.
#[must_use]
pub fn restore_coupons(
    booking: &Booking,
    cancelled: &Cancellation,
) -> Option<RestoreCouponsCommand> {
    let reservation_id = booking.reservation_id?;
    (!cancelled.coupons.is_empty()).then(|| RestoreCouponsCommand {
        reservation_id: reservation_id.to_string(),
        booking_id: booking.booking_id.to_string(),
        coupon_ids: cancelled.coupons.iter().map(Uuid::to_string).collect(),
    })
}

/// The coupons of a booking go back, whether they were reserved or not; `None`: it has none.
#[must_use]
pub fn release_coupons(booking: &Booking) -> Option<ReleaseCouponsCommand> {
    Some(ReleaseCouponsCommand {
        reservation_id: booking.reservation_id?.to_string(),
        booking_id: booking.booking_id.to_string(),
    })
}

/// A booking ended without a sale.
#[must_use]
pub fn failed(booking: &Booking, reason: &str, fail_time: DateTime<Utc>) -> BookingFailed {
    BookingFailed {
        booking_id: booking.booking_id.to_string(),
        account_id: booking.account_id.to_string(),
        reason: reason.to_owned(),
        show_ids: show_ids(booking),
        fail_time: Some(clock::to_timestamp(fail_time)),
    }
}

fn show_ids(booking: &Booking) -> Vec<String> {
    let shows: BTreeSet<Uuid> = booking.lines.iter().map(|line| line.show_id).collect();
    shows.iter().map(Uuid::to_string).collect()
}

/// How much is sold of a pool of a show with so many `pools`.
#[must_use]
pub fn level(level: &PoolLevel, grades: Vec<inventory::GradeLevel>, pools: u32) -> InventoryLevel {
    let grades = grades.into_iter().map(|level| GradeLevel {
        grade: level.grade,
        room: level.room.unsigned_abs(),
        sold: level.sold.unsigned_abs(),
    });
    InventoryLevel {
        show_id: level.show_id.to_string(),
        pool_id: level.pool_id.to_string(),
        version: level.version.unsigned_abs(),
        room: level.room.unsigned_abs(),
        sold: level.sold.unsigned_abs(),
        sales: level.sales.unsigned_abs(),
        pools,
        grades: grades.collect(),
    }
}

/// A show became visible.
#[must_use]
pub fn show_published(show: &Show) -> ShowPublished {
    ShowPublished {
        show_id: show.show_id.to_string(),
        seller_id: show.seller_id.to_string(),
        queue_required: show.spec.queue_required,
        sale_open_time: Some(clock::to_timestamp(show.spec.sale_open_time)),
        sale_close_time: Some(clock::to_timestamp(show.spec.sale_close_time)),
    }
}
