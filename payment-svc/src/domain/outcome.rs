//! What a provider said, and what its silence means.
//!
//! A [`Decline`] can only be made from an [`Answer`], and an answer only from an HTTP response that was read to its end. A timeout
//! makes neither, so it cannot be written down as a decline.

use mesh::money::Money;
use uuid::Uuid;

/// A refusal that a provider sent in so many words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    code: String,
}

/// Longest code of a provider that is kept, in characters; theirs have under 60.
const CODE_CHARS_MAX: usize = 100;

impl Answer {
    /// The code of a response that was read whole.
    #[must_use]
    pub fn read(code: &str) -> Self {
        Self {
            code: code.chars().take(CODE_CHARS_MAX).collect(),
        }
    }

    /// Code of the provider, as it sent it.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// This answer is a decline; whether another card may do is the provider's knowledge.
    #[must_use]
    pub fn declines(self, customer_may_retry: bool) -> Decline {
        Decline {
            answer: self,
            customer_may_retry,
        }
    }
}

/// A payment was refused by its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    answer: Answer,
    customer_may_retry: bool,
}

impl Decline {
    /// Code of the provider.
    #[must_use]
    pub fn code(&self) -> &str {
        self.answer.code()
    }

    /// Whether the buyer may try again, e.g. with another card.
    #[must_use]
    pub fn customer_may_retry(&self) -> bool {
        self.customer_may_retry
    }

    /// A decline that was stored before.
    #[must_use]
    pub fn stored(code: &str, customer_may_retry: bool) -> Self {
        Answer::read(code).declines(customer_may_retry)
    }
}

/// Nothing reached the provider, for sure: the same idempotency key may be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSent {
    /// Why, in a few words.
    pub why: String,
}

/// What came of a charge that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Money was taken, `amount` of it, whatever was asked.
    Approved {
        /// Key of the payment at the provider.
        payment_key: String,
        /// What was truly taken.
        amount: Money,
    },
    /// The issuer refused.
    Declined(Decline),
    /// The provider says that it still works on it.
    Pending,
    /// Nobody knows.
    Unknown {
        /// Why, in a few words.
        why: String,
    },
}

/// A refund as the provider shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Our id of it, when it was ours.
    pub refund_id: Option<Uuid>,
    /// Minor units returned.
    pub amount: i64,
}

/// What an inquiry by our own order id found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Money was taken for the order.
    Captured {
        /// Key of the payment at the provider.
        payment_key: String,
        /// What was taken.
        amount: Money,
        /// What was returned since.
        refunds: Vec<Refund>,
    },
    /// The payment of this key ended without money.
    Failed {
        /// Key of the payment at the provider.
        payment_key: String,
        /// Why.
        decline: Decline,
    },
    /// No money so far: the provider does not know the order, or nobody confirmed it yet. One such read proves nothing.
    Nothing,
    /// The inquiry itself failed.
    Unknown {
        /// Why, in a few words.
        why: String,
    },
}

/// What came of a refund that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The money went back.
    Done,
    /// The provider refuses for good.
    Refused(Answer),
    /// Nobody knows: inquire before sending again.
    Unknown {
        /// Why, in a few words.
        why: String,
    },
}
