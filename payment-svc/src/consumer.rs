//! Commands from other services: a message becomes the same use case that a call becomes.

use mesh::amqp::{Handler, Message, Poison};
use mesh::money::Money;
use mesh::pg::idempotency::RequestHash;
use mesh::pg::{Connection, TxError};
use prost::Name;
use proto::usher::booking::events::v1::{CancelPaymentCommand, RefundPaymentCommand};

use crate::app::App;
use crate::app::cancel::{self, Cancel};
use crate::app::refund::{self, AskedRefund};

/// Queue of the commands.
pub const QUEUE: &str = "payment-svc.commands";

/// Handles commands.
#[derive(Clone, Debug)]
pub struct Commands {
    app: App,
}

impl Commands {
    /// Commands for these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

impl Handler for Commands {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let done = if message.kind == RefundPaymentCommand::full_name() {
            refund::decide(connection, asked(message)?).await
        } else {
            let command = read(message)?;
            let cancelled = cancel::cancel(connection, command, &self.app.timings.ladder);
            cancelled.await.map(|_| ())
        };
        done.map_err(|error| error.map_refused(|refusal| Poison::new(refusal.to_string())))
    }

    async fn committed(&self, _: &Message) {
        self.app.committed();
    }
}

fn read(message: &Message) -> Result<Cancel, Poison> {
    let command: CancelPaymentCommand = message.decode()?;
    Ok(Cancel {
        payment_id: Poison::uuid(&command.payment_id, "payment_id")?,
        booking_id: Poison::uuid(&command.booking_id, "booking_id")?,
    })
}

fn asked(message: &Message) -> Result<AskedRefund, Poison> {
    let command: RefundPaymentCommand = message.decode()?;
    // Without an amount all would go back.
    let amount = command.amount.as_ref().and_then(|it| {
        let currency = it.currency.parse().ok()?;
        Some(Money::new(it.minor_units, currency))
    });
    Ok(AskedRefund {
        refund_id: Poison::uuid(&command.refund_id, "refund_id")?,
        // Field 1, the refund, is left out, as it is of calls.
        hash: RequestHash::of(&command),
        subject: format!("booking {}", command.booking_id),
        reason: command.reason,
        payment_id: Poison::uuid(&command.payment_id, "payment_id")?,
        amount: Some(amount.ok_or_else(|| Poison::new("amount is no money"))?),
    })
}
