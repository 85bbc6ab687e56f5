//! Use cases: begin, load, decide, save, append to the outbox, commit. A provider is never called inside a transaction.

use std::sync::Arc;

use mesh::faults::Faults;
use mesh::outbox::Waker;
use mesh::pg::idempotency::RequestHash;
use mesh::pg::{Connection, Database, DomainError, TxError};
use mesh::tasks::Tasks;
use thiserror::Error;
use tokio::sync::Notify;
use uuid::Uuid;

pub mod cancel;
pub mod confirm;
pub mod create;
pub mod expire;
pub mod inquire;
pub mod read;
pub mod refund;
pub mod retry_refund;
pub mod send_refunds;
mod sweep;
mod watch;

use crate::domain::{Change, Payment, Rejection};
use crate::provider::Providers;
use crate::publish;
use crate::store;
use crate::timings::PaymentTimings;

pub use crate::store::list::{After, Filter};
pub use crate::store::payment::Stored;

/// Why a use case refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such payment, or somebody else's.
    #[error("there is no such payment")]
    NotFound,
    /// No such refund.
    #[error("there is no such refund")]
    RefundNotFound,
    /// The domain refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The id was used for something else.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The first call with the id still runs.
    #[error("the first call with this request id still runs")]
    RequestInProgress,
    /// No such provider here.
    #[error("there is no such provider")]
    UnknownProvider,
    /// The provider's key belongs to another payment.
    #[error("the payment key belongs to another payment")]
    KeyUsed,
    /// The booking has another payment that is alive.
    #[error("the booking has another live payment")]
    LiveBooking,
    /// Nothing reached the provider.
    #[error("the provider does not answer; nothing was sent")]
    ProviderDown,
}

impl DomainError for Refusal {}

/// Why a use case did not do what was asked, or may not have.
pub type Error = TxError<Refusal>;

/// The use cases. Clones share everything.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) database: Database,
    /// The small pool: callers cannot starve what looks after money.
    pub(crate) background: Database,
    pub(crate) providers: Providers,
    pub(crate) timings: PaymentTimings,
    pub(crate) tasks: Tasks,
    pub(crate) owner: Arc<str>,
    pub(crate) faults: Faults,
    outbox: Waker,
    refunds: Arc<Notify>,
}

/// What the use cases work with.
#[derive(Debug)]
pub struct Parts {
    /// Where payments are.
    pub database: Database,
    /// Who takes the money.
    pub providers: Providers,
    /// Every timer.
    pub timings: PaymentTimings,
    /// Owner of every task.
    pub tasks: Tasks,
    /// Owner of leases: service name and UUIDv7 of the boot.
    pub owner: String,
    /// Fault points of tests: `charge/intent`, `charge/answer`, `inquire/answer`, `refund/claim`, `refund/answer`.
    pub faults: Faults,
    /// Wakes the relay.
    pub outbox: Waker,
}

impl App {
    /// The use cases; nothing runs in the background before [`App::start_sweepers`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            background: parts.database.background(),
            database: parts.database,
            providers: parts.providers,
            timings: parts.timings,
            tasks: parts.tasks,
            owner: parts.owner.into(),
            faults: parts.faults,
            outbox: parts.outbox,
            refunds: Arc::default(),
        }
    }

    /// Tells the relay and the sender of refunds that something was committed.
    pub fn committed(&self) {
        self.outbox.wake();
        self.refunds.notify_one();
    }

    /// The same when no refund can have been decided.
    fn committed_events(&self) {
        self.outbox.wake();
    }
}

/// Saves a changed payment with everything its change decided; `hash` is the request that asked for a refund.
pub(crate) async fn save(
    connection: &mut Connection,
    payment: &Payment,
    change: &Change,
    hash: Option<&RequestHash>,
) -> Result<(), Error> {
    store::payment::save(connection, payment, change, hash).await?;
    for event in &change.events {
        publish::event(connection, payment.into(), event).await?;
    }
    Ok(())
}

/// The payment of this id, locked; a tombstone or nothing is no payment.
pub(crate) async fn lock(connection: &mut Connection, payment_id: Uuid) -> Result<Payment, Error> {
    match store::payment::lock(connection, payment_id).await? {
        Some(Stored::Payment(payment, _)) => Ok(*payment),
        Some(Stored::Tombstone(_)) | None => Err(Refusal::NotFound.into()),
    }
}
