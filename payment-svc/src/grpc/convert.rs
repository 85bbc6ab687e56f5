//! Domain to protobuf; the only place that knows both.

use chrono::{DateTime, Utc};
use mesh::money::Money;
use prost_types::Timestamp;
use proto::usher::payment::v1 as pb;

use crate::app::Stored;
use crate::domain::{Method, Payment, RefundRow, RefundState, State};

pub(super) fn payment(payment: &Payment) -> pb::Payment {
    let money = |units| Some(Money::new(units, payment.amount.currency).into());
    let decline = payment
        .attempt
        .as_ref()
        .and_then(|attempt| attempt.decline.as_ref());
    pb::Payment {
        payment_id: payment.payment_id.to_string(),
        booking_id: payment.booking_id.to_string(),
        method: method(payment.method).into(),
        provider: payment.provider.clone().unwrap_or_default(),
        state: state(payment.state).into(),
        amount: Some(payment.amount.into()),
        captured_amount: money(payment.captured_amount),
        refunded_amount: money(payment.refunded_amount),
        kept_amount: money(payment.captured_amount - payment.refund_amount),
        last_decline: decline.map(|decline| pb::Decline {
            provider_code: decline.code().to_owned(),
            customer_may_retry: decline.customer_may_retry(),
        }),
        order_id: payment.payment_id.to_string(),
        checkout_url: String::new(),
        expire_time: payment.expire_time.map(time),
        create_time: Some(time(payment.create_time)),
    }
}

/// A tombstone shows as a cancelled payment of which nothing else is known.
pub(super) fn stored(stored: &Stored) -> pb::Payment {
    match stored {
        Stored::Payment(found, _) => payment(found),
        Stored::Tombstone(tombstone) => pb::Payment {
            payment_id: tombstone.payment_id.to_string(),
            booking_id: tombstone.booking_id.to_string(),
            state: pb::PaymentState::Cancelled.into(),
            create_time: Some(time(tombstone.create_time)),
            ..pb::Payment::default()
        },
    }
}

pub(super) fn refund(refund: &RefundRow) -> pb::Refund {
    let state = match refund.state {
        RefundState::Pending => pb::RefundState::Pending,
        RefundState::Sent => pb::RefundState::Sent,
        RefundState::Done => pb::RefundState::Done,
        RefundState::Parked => pb::RefundState::Parked,
    };
    let parked = refund.state == RefundState::Parked;
    pb::Refund {
        refund_id: refund.refund_id.to_string(),
        payment_id: refund.payment_id.to_string(),
        amount: Some(refund.amount.into()),
        state: state.into(),
        park_reason: refund
            .last_error
            .clone()
            .filter(|_| parked)
            .unwrap_or_default(),
        retries: refund.retries,
        create_time: Some(time(refund.create_time)),
    }
}

fn method(method: Method) -> pb::PaymentMethod {
    match method {
        Method::OnSite => pb::PaymentMethod::OnSite,
        Method::Free => pb::PaymentMethod::Free,
    }
}

fn state(state: State) -> pb::PaymentState {
    match state {
        State::AwaitingCustomer => pb::PaymentState::AwaitingCustomer,
        State::Processing => pb::PaymentState::Processing,
        State::Unknown => pb::PaymentState::Unknown,
        State::Captured => pb::PaymentState::Captured,
        State::Declined => pb::PaymentState::Declined,
        State::Cancelled => pb::PaymentState::Cancelled,
        State::Expired => pb::PaymentState::Expired,
        State::PartiallyRefunded => pb::PaymentState::PartiallyRefunded,
        State::Refunded => pb::PaymentState::Refunded,
    }
}

/// The state a filter names; none for any.
pub(super) fn filter_state(state: pb::PaymentState) -> Option<State> {
    match state {
        pb::PaymentState::Unspecified => None,
        pb::PaymentState::AwaitingCustomer => Some(State::AwaitingCustomer),
        pb::PaymentState::Processing => Some(State::Processing),
        pb::PaymentState::Unknown => Some(State::Unknown),
        pb::PaymentState::Captured => Some(State::Captured),
        pb::PaymentState::Declined => Some(State::Declined),
        pb::PaymentState::Cancelled => Some(State::Cancelled),
        pb::PaymentState::Expired => Some(State::Expired),
        pb::PaymentState::PartiallyRefunded => Some(State::PartiallyRefunded),
        pb::PaymentState::Refunded => Some(State::Refunded),
    }
}

fn time(time: DateTime<Utc>) -> Timestamp {
    // Nanoseconds of a chrono time are below two billion and fit.
    Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}
