//! The inbound edge of messages: a delivery becomes a use case, inside the transaction of its inbox row.

use std::sync::Arc;

use mesh::amqp::{Handler, Message, Poison};
use mesh::id;
use mesh::pg::{Connection, TxError};
use prost::Name;
use proto::usher::booking::events::v1::{BookingConfirmed, IssueTicketsCommand};
use proto::usher::payment::events::v1::{
    PaymentCancelled, PaymentCaptured, PaymentDeclined, PaymentExpired, PaymentRefunded,
    RefundParked,
};
use uuid::Uuid;

use crate::app::cancel_booking::{money_is_back, money_is_parked};
use crate::app::issue_tickets::issue_tickets;
use crate::domain::saga::News;
use crate::domain::ticket::keys::KeyRing;
use crate::saga::Sagas;
use crate::saga::moments::{PAY, TICKETS as ISSUE, UNDO_PAY};
use crate::saga::turn::{Told, tell};

/// Queue of what happens to payments.
pub const PAYMENTS: &str = "booking-svc.payments";
/// Queue of confirmed bookings.
pub const TICKETS: &str = "booking-svc.tickets";
/// Queue of reminders.
pub const TICKET_COMMANDS: &str = "booking-svc.ticket-commands";

/// Tells sagas what became of their payments.
#[derive(Debug)]
pub struct PaymentNews {
    /// The sagas.
    pub sagas: Sagas,
}

/// Issues tickets.
#[derive(Debug)]
pub struct Tickets {
    /// The sagas.
    pub sagas: Sagas,
    /// Keys that sign.
    pub keys: Arc<KeyRing>,
}

impl Handler for PaymentNews {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        if let Some(told) = read(message)? {
            if told.news == News::Gone {
                self.sagas.inner.faults.at(UNDO_PAY.after_effect).await;
            }
            tell(connection, &told, &self.sagas.inner.timings).await?;
        }
        match refund(message)? {
            Some((_, RefundNews::Back(refund_id))) => money_is_back(connection, refund_id).await?,
            Some((_, RefundNews::Parked(refund_id))) => {
                money_is_parked(connection, refund_id).await?;
            }
            None => {}
        }
        Ok(())
    }

    async fn committed(&self, message: &Message) {
        if let Ok(Some(told)) = read(message) {
            let faults = &self.sagas.inner.faults;
            match told.news {
                News::Captured => faults.at(PAY.after_result).await,
                News::Gone => faults.at(UNDO_PAY.after_result).await,
                News::WrongAmount | News::Declined { .. } | News::Expired => {}
            }
            self.sagas.wake(told.booking_id);
        } else if let Ok(Some((booking_id, _))) = refund(message) {
            self.sagas.wake(booking_id);
        }
    }
}

/// What became of a refund.
enum RefundNews {
    Back(Uuid),
    Parked(Uuid),
}

/// What a payment's event tells of one refund, and of which booking.
fn refund(message: &Message) -> Result<Option<(Uuid, RefundNews)>, Poison> {
    if message.kind == PaymentRefunded::full_name() {
        let event: PaymentRefunded = message.decode()?;
        let news = RefundNews::Back(uuid(&event.refund_id)?);
        Ok(Some((uuid(&event.booking_id)?, news)))
    } else if message.kind == RefundParked::full_name() {
        let event: RefundParked = message.decode()?;
        let news = RefundNews::Parked(uuid(&event.refund_id)?);
        Ok(Some((uuid(&event.booking_id)?, news)))
    } else {
        Ok(None)
    }
}

/// What a payment's event tells its saga; nothing when only a part of the money went back, or none: money stays awaited.
fn read(message: &Message) -> Result<Option<Told>, Poison> {
    let told = |booking_id: &str, payment_id: &str, news| {
        let (booking_id, payment_id) = (uuid(booking_id)?, uuid(payment_id)?);
        Ok(Told {
            booking_id,
            payment_id,
            news,
            amount: None,
        })
    };
    let kind = message.kind.as_str();
    if kind == PaymentCaptured::full_name() {
        let event: PaymentCaptured = message.decode()?;
        let told = told(&event.booking_id, &event.payment_id, News::Captured)?;
        Ok(Some(Told {
            amount: event.amount,
            ..told
        }))
    } else if kind == PaymentDeclined::full_name() {
        let event: PaymentDeclined = message.decode()?;
        let news = News::Declined {
            code: event.provider_code,
            may_retry: event.customer_may_retry,
        };
        told(&event.booking_id, &event.payment_id, news).map(Some)
    } else if kind == PaymentExpired::full_name() {
        let event: PaymentExpired = message.decode()?;
        told(&event.booking_id, &event.payment_id, News::Expired).map(Some)
    } else if kind == PaymentCancelled::full_name() {
        let event: PaymentCancelled = message.decode()?;
        told(&event.booking_id, &event.payment_id, News::Gone).map(Some)
    } else if kind == RefundParked::full_name() {
        Ok(None)
    } else {
        let event: PaymentRefunded = message.decode()?;
        let told = told(&event.booking_id, &event.payment_id, News::Gone)?;
        Ok(event.in_full.then_some(told))
    }
}

impl Handler for Tickets {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let faults = &self.sagas.inner.faults;
        let booking_id = booking_of(message)?;
        faults.at(ISSUE.before_intent).await;
        issue_tickets(connection, &self.keys, booking_id, faults).await?;
        faults.at(ISSUE.after_effect).await;
        Ok(())
    }

    async fn committed(&self, message: &Message) {
        if let Ok(booking_id) = booking_of(message) {
            self.sagas.inner.faults.at(ISSUE.after_result).await;
            self.sagas.wake(booking_id);
        }
    }
}

fn booking_of(message: &Message) -> Result<Uuid, Poison> {
    if message.kind == BookingConfirmed::full_name() {
        uuid(&message.decode::<BookingConfirmed>()?.booking_id)
    } else {
        uuid(&message.decode::<IssueTicketsCommand>()?.booking_id)
    }
}

fn uuid(text: &str) -> Result<Uuid, Poison> {
    id::parse(text).ok_or_else(|| Poison::new(format!("it has an id that is none: {text:?}")))
}
