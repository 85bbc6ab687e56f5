//! Facts of the domain as messages, handed to the outbox in the transaction that made them true.

use diesel::QueryResult;
use mesh::money::Money;
use mesh::outbox::append;
use mesh::pg::Connection;
use proto::usher::payment::events::v1 as pb;
use uuid::Uuid;

use crate::domain::{Event, Payment};

/// Which payment a fact is about. The booking is the aggregate.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Payment.
    pub payment_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
}

impl About {
    fn texts(self) -> (String, String) {
        (self.payment_id.to_string(), self.booking_id.to_string())
    }
}

impl From<&Payment> for About {
    fn from(payment: &Payment) -> Self {
        Self {
            payment_id: payment.payment_id,
            booking_id: payment.booking_id,
        }
    }
}

/// Writes `event` to the outbox.
pub async fn event(connection: &mut Connection, about: About, event: &Event) -> QueryResult<()> {
    let aggregate = about.booking_id;
    match event {
        Event::Captured { amount } => {
            append(connection, &captured(about, *amount), aggregate).await?
        }
        Event::Declined {
            amount,
            provider_code,
            customer_may_retry,
        } => {
            append(
                connection,
                &declined(about, *amount, provider_code, *customer_may_retry),
                aggregate,
            )
            .await?
        }
        Event::Cancelled => append(connection, &cancelled(about), aggregate).await?,
        Event::Expired => append(connection, &expired(about), aggregate).await?,
        Event::Refunded {
            refund_id,
            amount,
            in_full,
        } => {
            append(
                connection,
                &refunded(about, *refund_id, *amount, *in_full),
                aggregate,
            )
            .await?
        }
        Event::LateCaptureFound { amount } => {
            append(connection, &late(about, *amount), aggregate).await?
        }
        Event::RefundParked {
            refund_id,
            amount,
            reason,
        } => {
            append(
                connection,
                &parked(about, *refund_id, *amount, reason),
                aggregate,
            )
            .await?
        }
    };
    Ok(())
}

fn captured(about: About, amount: Money) -> pb::PaymentCaptured {
    let (payment_id, booking_id) = about.texts();
    pb::PaymentCaptured {
        payment_id,
        booking_id,
        amount: Some(amount.into()),
    }
}

fn declined(
    about: About,
    amount: Money,
    provider_code: &str,
    customer_may_retry: bool,
) -> pb::PaymentDeclined {
    let (payment_id, booking_id) = about.texts();
    pb::PaymentDeclined {
        payment_id,
        booking_id,
        amount: Some(amount.into()),
        provider_code: provider_code.to_owned(),
        customer_may_retry,
    }
}

fn cancelled(about: About) -> pb::PaymentCancelled {
    let (payment_id, booking_id) = about.texts();
    pb::PaymentCancelled {
        payment_id,
        booking_id,
    }
}

fn expired(about: About) -> pb::PaymentExpired {
    let (payment_id, booking_id) = about.texts();
    pb::PaymentExpired {
        payment_id,
        booking_id,
    }
}

fn refunded(about: About, refund_id: Uuid, amount: Money, in_full: bool) -> pb::PaymentRefunded {
    let (payment_id, booking_id) = about.texts();
    pb::PaymentRefunded {
        payment_id,
        booking_id,
        amount: Some(amount.into()),
        refund_id: refund_id.to_string(),
        in_full,
    }
}

fn late(about: About, amount: Money) -> pb::LateCaptureFound {
    let (payment_id, booking_id) = about.texts();
    pb::LateCaptureFound {
        payment_id,
        booking_id,
        amount: Some(amount.into()),
    }
}

fn parked(about: About, refund_id: Uuid, amount: Money, reason: &str) -> pb::RefundParked {
    let (payment_id, booking_id) = about.texts();
    pb::RefundParked {
        payment_id,
        booking_id,
        amount: Some(amount.into()),
        reason: reason.to_owned(),
        refund_id: refund_id.to_string(),
    }
}
