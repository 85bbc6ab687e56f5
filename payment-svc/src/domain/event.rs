//! Facts that others want to know.

use mesh::money::Money;
use uuid::Uuid;

/// What happened to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The money is taken and the booking may have it.
    Captured {
        /// What was taken.
        amount: Money,
    },
    /// The provider refused.
    Declined {
        /// What was asked.
        amount: Money,
        /// Code of the provider.
        provider_code: String,
        /// Whether the buyer may try the same payment again.
        customer_may_retry: bool,
    },
    /// It ended and no money was taken.
    Cancelled,
    /// It was not confirmed in time.
    Expired,
    /// Money went back.
    Refunded {
        /// The refund.
        refund_id: Uuid,
        /// What it returned.
        amount: Money,
        /// Whether all of the captured money is back.
        in_full: bool,
    },
    /// Money was found for a payment that had ended; it is being returned.
    LateCaptureFound {
        /// What was found.
        amount: Money,
    },
    /// The provider refused a refund; a person has to look.
    RefundParked {
        /// The refund.
        refund_id: Uuid,
        /// What could not be returned.
        amount: Money,
        /// Why.
        reason: String,
    },
}
