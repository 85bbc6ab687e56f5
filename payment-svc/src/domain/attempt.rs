//! One try to take the money: committed before anything is sent.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::outcome::Decline;

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// Committed; it may or may not have been sent.
    Intent,
    /// The provider works on it.
    Pending,
    /// Nobody knows.
    Unknown,
    /// The money is taken.
    Approved,
    /// The issuer refused.
    Declined,
    /// Proven not to have taken money.
    Absent,
}

impl AttemptState {
    /// Whether it may still take money, or did: at most one attempt of a payment is so.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(
            self,
            Self::Intent | Self::Pending | Self::Unknown | Self::Approved
        )
    }

    /// Whether its outcome is awaited.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Intent | Self::Pending | Self::Unknown)
    }
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Number within the payment, from 1.
    pub attempt_no: i32,
    /// Sent with every try of it: uuidv5(payment, attempt).
    pub idempotency_key: Uuid,
    /// Key the provider's widget gave to the buyer.
    pub payment_key: String,
    /// Minor units asked.
    pub amount: i64,
    /// Where it stands.
    pub state: AttemptState,
    /// When it was committed: nothing was sent before.
    pub first_send_time: DateTime<Utc>,
    /// Latest time at which it may have been sent.
    pub last_send_time: DateTime<Utc>,
    /// Agreeing reads without money so far.
    pub absent_reads: u32,
    /// The refusal, if it was refused.
    pub decline: Option<Decline>,
}

impl Attempt {
    /// An attempt that is committed now and sent until `last_send`.
    #[must_use]
    pub fn intent(
        payment_id: Uuid,
        attempt_no: i32,
        payment_key: String,
        amount: i64,
        (now, last_send): (DateTime<Utc>, DateTime<Utc>),
    ) -> Self {
        Self {
            attempt_no,
            idempotency_key: mesh::id::derive(payment_id, format!("attempt/{attempt_no}")),
            payment_key,
            amount,
            state: AttemptState::Intent,
            first_send_time: now,
            last_send_time: last_send,
            absent_reads: 0,
            decline: None,
        }
    }
}
