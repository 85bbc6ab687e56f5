//! Payment providers: what every one of them has to be able to do.
//!
//! `inquire` is not optional: a provider that cannot be asked by our own order id cannot be used, because its silence could never be
//! resolved. A provider's answers become [`Outcome`] and [`Finding`] here; nothing else of the crate knows its codes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mesh::money::Money;
use uuid::Uuid;

mod breaker;
mod http;
pub mod toss;

pub use http::{HttpLimits, HttpSetupError};

use crate::domain::{Finding, NotSent, Outcome, RefundOutcome};

/// What a provider does, boxed so that one table can hold all of them.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A charge to confirm.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Our order id.
    pub order_id: Uuid,
    /// Key the provider's widget gave to the buyer.
    pub payment_key: String,
    /// What is asked.
    pub amount: Money,
    /// Makes a repetition harmless.
    pub idempotency_key: Uuid,
}

/// Money to return.
#[derive(Clone, Debug)]
pub struct RefundCharge {
    /// Key of the captured payment.
    pub payment_key: String,
    /// Our id of the refund; travels with it, so that an inquiry finds it again.
    pub refund_id: Uuid,
    /// What is returned.
    pub amount: Money,
    /// Makes a repetition harmless.
    pub idempotency_key: Uuid,
}

/// One payment provider.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Its name on the wire and in the database.
    fn name(&self) -> &'static str;

    /// Takes the money that the buyer authorised.
    fn confirm(&self, charge: Charge) -> Work<'_, Result<Outcome, NotSent>>;

    /// Asks what became of an order, by our own id.
    fn inquire(&self, order_id: Uuid) -> Work<'_, Finding>;

    /// Returns money.
    fn refund(&self, refund: RefundCharge) -> Work<'_, Result<RefundOutcome, NotSent>>;
}

/// The providers of a process, by name.
#[derive(Clone, Debug)]
pub struct Providers {
    all: Arc<[Arc<dyn Provider>]>,
}

impl Providers {
    /// These providers.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Arc<dyn Provider>>) -> Self {
        Self {
            all: all.into_iter().collect(),
        }
    }

    /// The provider of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn Provider> {
        self.all
            .iter()
            .find(|provider| provider.name() == name)
            .map(AsRef::as_ref)
    }
}
