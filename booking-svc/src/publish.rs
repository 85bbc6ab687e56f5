//! Domain facts as messages.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use mesh::clock;
use proto::usher::booking::events::v1::{
    BookingConfirmed, BookingStarted, ConfirmedLine, ShowPublished,
};
use uuid::Uuid;

use crate::domain::booking::Booking;
use crate::domain::hold::Hold;
use crate::domain::show::Show;

/// A booking was opened on `hold`.
#[must_use]
pub fn started(booking_id: Uuid, hold: &Hold) -> BookingStarted {
    BookingStarted {
        booking_id: booking_id.to_string(),
        account_id: hold.account_id.to_string(),
        hold_id: hold.hold_id.to_string(),
        total: Some(hold.total.into()),
    }
}

/// A booking was sold.
#[must_use]
pub fn confirmed(booking: &Booking, confirm_time: DateTime<Utc>) -> BookingConfirmed {
    let shows: BTreeSet<Uuid> = booking.lines.iter().map(|line| line.show_id).collect();
    let lines = booking.lines.iter().map(|line| ConfirmedLine {
        line_no: line.line_no.unsigned_abs(),
        show_id: line.show_id.to_string(),
        performance_id: line.performance_id.to_string(),
        pool_id: line.unit.pool_id.to_string(),
        ord: line.unit.ord.unsigned_abs(),
        grade: line.grade.clone(),
        quantity: line.quantity.unsigned_abs(),
        unit_price: Some(line.unit_price.into()),
    });
    BookingConfirmed {
        booking_id: booking.booking_id.to_string(),
        account_id: booking.account_id.to_string(),
        show_ids: shows
            .into_iter()
            .map(|show_id| show_id.to_string())
            .collect(),
        lines: lines.collect(),
        total: Some(booking.total.into()),
        payment_id: booking.payment_id.to_string(),
        confirm_time: Some(clock::to_timestamp(confirm_time)),
    }
}

/// A show became visible.
#[must_use]
pub fn show_published(show: &Show) -> ShowPublished {
    ShowPublished {
        show_id: show.show_id.to_string(),
        seller_id: show.seller_id.to_string(),
    }
}
