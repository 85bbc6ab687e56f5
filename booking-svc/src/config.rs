//! What this process reads from its environment: see [`VARIABLES`].

use std::path::PathBuf;

use mesh::client::PeerList;
use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::identity::JwksSource;
use mesh::server::ServerConfig;
use mesh::timings::Timings;

use crate::app::timings::BookTimings;

/// Where payment-svc is.
pub const PEER_PAYMENT: Variable = Variable::required(
    "USHER_PEER_PAYMENT",
    "addresses of payment-svc: http://a:1,http://b:2",
);
/// Where coupon-svc is.
pub const PEER_COUPON: Variable = Variable::required(
    "USHER_PEER_COUPON",
    "addresses of coupon-svc: http://a:1,http://b:2",
);
/// Keys that sign tickets.
pub const TICKET_KEYS: Variable = Variable::required(
    "USHER_TICKET_KEYS",
    "JSON file with the keys that sign ticket codes (usher-token init makes one)",
);

/// Keys of passes.
pub const QUEUE_JWKS: Variable = Variable::optional(
    "USHER_QUEUE_JWKS",
    "file or http(s) URL of the JWKS that passes of waiting rooms are verified with; without it none is valid",
);

/// The variables of this service beside those of every process.
pub const VARIABLES: &[&Variable] = &[&PEER_PAYMENT, &PEER_COUPON, &TICKET_KEYS, &QUEUE_JWKS];

/// The configuration of a process.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every server reads.
    pub server: ServerConfig,
    /// Database `booking`.
    pub database_url: Secret,
    /// The broker.
    pub amqp_url: Secret,
    /// Goes before every exchange and queue name.
    pub amqp_prefix: String,
    /// Where payment-svc is.
    pub payment: PeerList,
    /// Where coupon-svc is.
    pub coupon: PeerList,
    /// Keys that sign tickets.
    pub ticket_keys: PathBuf,
    /// Keys of passes.
    pub queue_jwks: Option<JwksSource>,
    /// Timers of mesh.
    pub timings: Timings,
    /// Timers of the saga.
    pub book: BookTimings,
}

impl Config {
    /// Reads every variable before it gives up on one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let server = ServerConfig::read(reader);
        let database_url = reader.read(&config::DATABASE_URL);
        let amqp_url = reader.read(&config::AMQP_URL);
        let amqp_prefix = reader.read_optional(&config::AMQP_PREFIX);
        let payment = reader.read(&PEER_PAYMENT);
        let coupon = reader.read(&PEER_COUPON);
        let ticket_keys = reader.read(&TICKET_KEYS);
        let queue_jwks = reader.read_optional(&QUEUE_JWKS);
        let (timings, book) = (reader.read(&config::TIMINGS), reader.read(&config::TIMINGS));
        Ok(Self {
            server: server?,
            database_url: database_url?,
            amqp_url: amqp_url?,
            amqp_prefix: amqp_prefix?.unwrap_or_default(),
            payment: payment?,
            coupon: coupon?,
            ticket_keys: ticket_keys?,
            queue_jwks: queue_jwks?,
            timings: timings?,
            book: book?,
        })
    }
}
