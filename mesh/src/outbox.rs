//! The outbox: an event leaves exactly when the transaction that caused it commits.
//!
//! [`append`] writes the message beside the effect, [`Relay`] publishes it and deletes the row after the broker's confirm. A crash in between
//! publishes it again, which the [`crate::inbox`] of the consumer absorbs. Order within an aggregate is likely and never relied on.

mod append;
mod lease;
mod relay;
mod rows;

pub use append::{append, append_all};
pub use relay::{Relay, RelayOptions, Waker};

/// Parts of the outbox, one relay each at a time. The same number stands in the table's CHECK.
pub const PARTS: i16 = 16;

/// Largest payload: an event says what happened and is no transport for files. A batch of them fits in memory.
pub const PAYLOAD_MAX: usize = 256 * 1024;
