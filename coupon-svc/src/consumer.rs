//! Commands of bookings: a message becomes the same use case that a call becomes.

pub mod claims;

use mesh::amqp::{Handler, Message, Poison};
use mesh::outbox::Waker;
use mesh::pg::{Connection, TxError};
use prost::Name;
use proto::usher::booking::events::v1::{
    CommitCouponsCommand, ReleaseCouponsCommand, RestoreCouponsCommand,
};
use uuid::Uuid;

use crate::app::reservations::order;
use crate::domain::reservation::Order;

/// Queue of the commands.
pub const COMMANDS: &str = "coupon-svc.commands";

/// Handles commands.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Wakes the relay: what a command did is told at once.
    pub outbox: Waker,
}

impl Handler for Commands {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let told = read(message)?;
        let done = order(
            connection,
            told.booking_id,
            told.reservation_id,
            told.order,
            &told.coupon_ids,
        );
        done.await
            .map_err(|error| error.map_refused(|refusal| Poison::new(refusal.to_string())))
    }

    async fn committed(&self, _: &Message) {
        self.outbox.wake();
    }
}

struct Told {
    order: Order,
    reservation_id: Uuid,
    booking_id: Uuid,
    coupon_ids: Vec<Uuid>,
}

fn read(message: &Message) -> Result<Told, Poison> {
    let told = |order, reservation_id: &str, booking_id: &str, coupon_ids: &[String]| {
        let coupon_ids = coupon_ids
            .iter()
            .map(|text| Poison::uuid(text, "coupon_ids"));
        Ok(Told {
            order,
            reservation_id: Poison::uuid(reservation_id, "reservation_id")?,
            booking_id: Poison::uuid(booking_id, "booking_id")?,
            coupon_ids: coupon_ids.collect::<Result<_, _>>()?,
        })
    };
    if message.kind == CommitCouponsCommand::full_name() {
        let command: CommitCouponsCommand = message.decode()?;
        told(
            Order::Commit,
            &command.reservation_id,
            &command.booking_id,
            &[],
        )
    } else if message.kind == ReleaseCouponsCommand::full_name() {
        let command: ReleaseCouponsCommand = message.decode()?;
        told(
            Order::Release,
            &command.reservation_id,
            &command.booking_id,
            &[],
        )
    } else {
        let command: RestoreCouponsCommand = message.decode()?;
        told(
            Order::Restore,
            &command.reservation_id,
            &command.booking_id,
            &command.coupon_ids,
        )
    }
}
