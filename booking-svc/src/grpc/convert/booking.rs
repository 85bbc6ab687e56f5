//! Bookings.

use std::collections::BTreeSet;

use mesh::money::{Currency, Money};
use mesh::page::{List, PageRequest, SIZE_MAX};
use mesh::pg::idempotency::RequestHash;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::coupon_choice::Choice as PbChoice;
use proto::usher::booking::v1::payment_choice::Method as PbMethod;
use proto::usher::coupon::v1::UnusedCoupon;
use uuid::Uuid;

use super::hold::LINES_MAX;
use super::{Fields, timestamp};
use crate::app::reads::Seats;
use crate::domain::booking::{
    Booking, BookingFilter, BookingState, CreateBooking, Method, PROVIDER,
};
use crate::domain::cancellation::{CancellationState, PastCancellation};
use crate::domain::finding::Findings;
use crate::domain::price::{COUPONS_MAX, CouponChoice, Discount, Quote, Unused, of_line, total};

/// What is wrong with a request to book.
pub(in crate::grpc) enum WrongBooking {
    /// The request in itself.
    Invalid(Findings),
    /// A provider that this release does not have.
    Provider(String),
}

/// A request to book a hold.
pub(in crate::grpc) fn create_booking(
    request: &pb::CreateBookingRequest,
    account_id: Uuid,
) -> Result<CreateBooking, WrongBooking> {
    let mut fields = Fields::default();
    let request_id = fields.id("request_id", &request.request_id);
    let hold_id = fields.id("hold_id", &request.hold_id);
    let expected_total = fields.money("expected_total", request.expected_total.as_ref());
    let coupons = coupons(&mut fields, request.coupons.as_ref());
    let choice = request
        .payment
        .as_ref()
        .and_then(|payment| payment.method.as_ref());
    let method = match choice {
        Some(PbMethod::OnSite(_)) => Some(Method::OnSite),
        Some(PbMethod::Free(_)) => Some(Method::Free),
        None => {
            fields
                .violations
                .add("payment", "must choose on_site or free");
            None
        }
    };
    let request_hash = RequestHash::of(request).0.to_vec();
    let named = request_id.zip(hold_id).zip(coupons);
    let command = named.zip(expected_total).zip(method).map(
        |((((request_id, hold_id), coupons), expected_total), method)| CreateBooking {
            request_id,
            account_id,
            request_hash,
            hold_id,
            expected_total,
            coupons,
            method,
        },
    );
    let command = fields.finish(command).map_err(WrongBooking::Invalid)?;
    match choice {
        Some(PbMethod::OnSite(on_site)) if on_site.provider != PROVIDER => {
            Err(WrongBooking::Provider(on_site.provider.clone()))
        }
        _ => Ok(command),
    }
}

/// Coupons to use.
fn coupons(fields: &mut Fields, choice: Option<&pb::CouponChoice>) -> Option<CouponChoice> {
    let chosen = match choice.and_then(|choice| choice.choice.as_ref()) {
        None => return Some(CouponChoice::None),
        Some(PbChoice::Best(_)) => return Some(CouponChoice::Best),
        Some(PbChoice::Chosen(chosen)) => &chosen.coupon_ids,
    };
    if !(1..=COUPONS_MAX).contains(&chosen.len()) {
        let remedy = format!("must be 1..{COUPONS_MAX}");
        fields.violations.add("coupons.chosen.coupon_ids", remedy);
        return None;
    }
    let named = chosen.iter().enumerate();
    let named = named.map(|(n, text)| fields.id(&format!("coupons.chosen.coupon_ids[{n}]"), text));
    let named: Vec<Option<Uuid>> = named.collect();
    named
        .into_iter()
        .collect::<Option<_>>()
        .map(CouponChoice::Chosen)
}

/// A hold to be quoted, with these coupons.
pub(in crate::grpc) fn quote_booking(
    request: &pb::QuoteBookingRequest,
) -> Result<(Uuid, CouponChoice), Findings> {
    let mut fields = Fields::default();
    let hold_id = fields.id("hold_id", &request.hold_id);
    let coupons = coupons(&mut fields, request.coupons.as_ref());
    fields.finish(hold_id.zip(coupons))
}

/// A request to cancel a booking: request_id, booking_id, lines.
pub(in crate::grpc) fn cancel_booking(
    request: &pb::CancelBookingRequest,
) -> Result<(Uuid, Uuid, BTreeSet<i32>), Findings> {
    let mut fields = Fields::default();
    let request_id = fields.id("request_id", &request.request_id);
    let booking_id = fields.id("booking_id", &request.booking_id);
    fields.label("reason", &request.reason);
    let lines = request.line_nos.iter().map(|it| i32::try_from(*it).ok());
    let lines: Option<BTreeSet<i32>> = lines.collect();
    let lines = lines.filter(|lines| lines.len() <= LINES_MAX);
    if lines.is_none() {
        let remedy = format!("must be at most {LINES_MAX} numbers of lines of the booking");
        fields.violations.add("line_nos", remedy);
    }
    let both = request_id.zip(booking_id).zip(lines);
    fields.finish(both.map(|((request_id, booking_id), lines)| (request_id, booking_id, lines)))
}

/// A list of the caller's bookings.
pub(in crate::grpc) fn list_bookings(
    request: &pb::ListBookingsRequest,
    account_id: Uuid,
) -> Result<(List, BookingFilter, PageRequest<Uuid>), Findings> {
    let mut fields = Fields::default();
    let show_id = fields.optional_id("show_id", &request.show_id);
    let state = match pb::BookingState::try_from(request.state) {
        Ok(pb::BookingState::Unspecified) => None,
        Ok(pb::BookingState::Processing) => Some(BookingState::Processing),
        Ok(pb::BookingState::AwaitingPayment) => Some(BookingState::AwaitingPayment),
        Ok(pb::BookingState::Confirmed) => Some(BookingState::Confirmed),
        Ok(pb::BookingState::Failed) => Some(BookingState::Failed),
        Ok(pb::BookingState::Cancelled) => Some(BookingState::Cancelled),
        Err(_) => {
            fields
                .violations
                .add("state", "must be a state of bookings");
            None
        }
    };
    let filter = pb::ListBookingsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let list = List::new("ListBookings", &filter);
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    let filter = BookingFilter {
        account_id,
        state,
        show_id,
        before: None,
    };
    fields.finish(Some((list, filter, page)))
}

/// A booking as answered.
pub(in crate::grpc) fn booking(booking: &Booking, seats: &Seats) -> pb::Booking {
    let shows: BTreeSet<Uuid> = booking.lines.iter().map(|line| line.show_id).collect();
    let lines = booking.lines.iter().map(|line| pb::BookingLine {
        line_no: line.line_no.unsigned_abs(),
        performance_id: line.performance_id.to_string(),
        pool_id: line.unit.pool_id.to_string(),
        ord: line.unit.ord.unsigned_abs(),
        seat_guid: seats.get(&line.unit).cloned().unwrap_or_default(),
        grade: line.grade.clone(),
        quantity: line.quantity.unsigned_abs(),
        unit_price: Some(line.unit_price.into()),
        discount: Some(booking.discount_of(line).0.into()),
        cancelled: line.refund.is_some(),
        refund: line
            .refund
            .map(|refund| Money::new(refund, booking.total.currency).into()),
    });
    let method = match booking.method {
        Method::OnSite => pb::PaymentMethod::OnSite,
        Method::Free => pb::PaymentMethod::Free,
    };
    let payment_id = booking.payment_id.to_string();
    pb::Booking {
        booking_id: booking.booking_id.to_string(),
        hold_id: booking.hold_id.to_string(),
        show_ids: shows
            .into_iter()
            .map(|show_id| show_id.to_string())
            .collect(),
        state: state(booking.state).into(),
        lines: lines.collect(),
        total: Some(booking.total.into()),
        payment: Some(pb::BookingPayment {
            order_id: payment_id.clone(),
            payment_id,
            method: method.into(),
            checkout_url: String::new(),
        }),
        failure: booking.failure.as_ref().map(|failure| pb::BookingFailure {
            reason: failure.reason.clone(),
            provider_code: failure.provider_code.clone(),
            may_try_again: failure.may_try_again,
        }),
        payment_deadline_time: Some(timestamp(booking.payment_deadline_time)),
        create_time: Some(timestamp(booking.create_time)),
        confirm_time: booking.confirm_time.map(timestamp),
        subtotal: Some(booking.subtotal().into()),
        discount: Some(booking.discount().into()),
        coupons: coupon_discounts(&booking.discounts, booking.total.currency),
        cancellations: booking.cancellations.iter().map(cancellation).collect(),
    }
}

fn cancellation(past: &PastCancellation) -> pb::BookingCancellation {
    let state = match past.state {
        CancellationState::Refunding => pb::CancellationState::Refunding,
        CancellationState::Done => pb::CancellationState::Done,
        CancellationState::Parked => pb::CancellationState::Parked,
    };
    pb::BookingCancellation {
        cancellation_id: past.cancellation_id.to_string(),
        line_nos: past.lines.iter().map(|line| line.unsigned_abs()).collect(),
        refund: Some(past.refund.into()),
        state: state.into(),
        create_time: Some(timestamp(past.create_time)),
        finish_time: past.finish_time.map(timestamp),
    }
}

fn coupon_discounts(discounts: &[Discount], currency: Currency) -> Vec<pb::CouponDiscount> {
    let told = |discount: &Discount| pb::CouponDiscount {
        coupon_id: discount.coupon_id.to_string(),
        campaign_id: discount.campaign_id.to_string(),
        amount: Some(Money::new(discount.amount(), currency).into()),
    };
    discounts.iter().map(told).collect()
}

/// A quote as answered.
pub(in crate::grpc) fn quote(quote: &Quote) -> pb::BookingQuote {
    let currency = quote.subtotal.currency;
    let money = |units| Some(Money::new(units, currency).into());
    let discounts = &quote.coupons.discounts;
    let lines = quote.lines.iter().map(|line| {
        let (discount, _) = of_line(discounts, line.line_no);
        pb::QuotedLine {
            line_no: line.line_no.unsigned_abs(),
            performance_id: line.performance_id.to_string(),
            pool_id: line.unit.pool_id.to_string(),
            ord: line.unit.ord.unsigned_abs(),
            grade: line.grade.clone(),
            quantity: line.quantity.unsigned_abs(),
            unit_price: Some(line.unit_price.into()),
            discount: money(discount),
            total: money(line.price() - discount),
        }
    });
    pb::BookingQuote {
        hold_id: quote.hold_id.to_string(),
        lines: lines.collect(),
        subtotal: Some(quote.subtotal.into()),
        discount: money(total(discounts)),
        total: Some(quote.total.into()),
        coupons: coupon_discounts(discounts, currency),
        unused: quote.coupons.unused.iter().map(unused).collect(),
        exact: quote.coupons.exact,
    }
}

fn unused(unused: &Unused) -> UnusedCoupon {
    UnusedCoupon {
        coupon_id: unused.coupon_id.clone(),
        reason: unused.reason,
        amount: unused.amount,
        time: unused.time.map(timestamp),
        coupon_ids: unused.coupon_ids.clone(),
        group: unused.group.clone(),
    }
}

fn state(state: BookingState) -> pb::BookingState {
    match state {
        BookingState::Processing => pb::BookingState::Processing,
        BookingState::AwaitingPayment => pb::BookingState::AwaitingPayment,
        BookingState::Confirmed => pb::BookingState::Confirmed,
        BookingState::Failed => pb::BookingState::Failed,
        BookingState::Cancelled => pb::BookingState::Cancelled,
    }
}
