//! Commands from other services: a message becomes the same use case that a call becomes.

use mesh::amqp::{Handler, Message, Poison};
use mesh::id;
use mesh::pg::{Connection, TxError};
use proto::usher::booking::events::v1::CancelPaymentCommand;

use crate::app::cancel::{self, Cancel};
use crate::app::{App, Error};

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
        let command = read(message)?;
        cancel::cancel(connection, command, &self.app.timings.ladder)
            .await
            .map(|_| ())
            .map_err(poison)
    }

    async fn committed(&self, _: &Message) {
        self.app.committed();
    }
}

fn read(message: &Message) -> Result<Cancel, Poison> {
    let command: CancelPaymentCommand = message.decode()?;
    let parse = |text: &str, field: &str| {
        id::parse(text).ok_or_else(|| Poison::new(format!("{field} is not a UUID")))
    };
    Ok(Cancel {
        payment_id: parse(&command.payment_id, "payment_id")?,
        booking_id: parse(&command.booking_id, "booking_id")?,
    })
}

/// A refusal will not change by waiting; everything else may pass.
fn poison(error: Error) -> TxError<Poison> {
    match error {
        TxError::Refused(refusal) => TxError::Refused(Poison::new(refusal.to_string())),
        TxError::Busy => TxError::Busy,
        TxError::LockTimeout => TxError::LockTimeout,
        TxError::Conflict => TxError::Conflict,
        TxError::Unavailable => TxError::Unavailable,
        TxError::Unknown => TxError::Unknown,
        TxError::Database(error) => TxError::Database(error),
    }
}
