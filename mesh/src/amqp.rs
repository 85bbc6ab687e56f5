//! RabbitMQ: connections that come back, publishing with confirms, consuming with effects that happen once.
//!
//! lapin's own recovery has no jitter, gives up, and does not see channel errors, so each connection has a supervisor here that rebuilds all
//! of it: connection, channel, topology, limits, consumer. Publishing and consuming never share a connection: a broker that blocks publishers
//! would stop the acknowledgements with them. Every await has a limit.

mod broker;
mod consumer;
mod handle;
mod link;
mod message;
pub(crate) mod park;
mod publisher;
mod retry;
mod topology;

pub use broker::{Broker, BrokerError};
pub use consumer::{ConsumerOptions, NoSuchQueue, consume};
pub use handle::{Handler, Poison};
pub use link::AmqpError;
pub use message::Message;
pub use publisher::{Outcome, Outgoing, Publisher, Unpublished};
pub use topology::park_queue;
