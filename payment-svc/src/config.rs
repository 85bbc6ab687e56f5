//! Configuration, read once: mesh's variables for a server, its database and broker, and the provider's.
//!
//! `USHER_TOSS_URL` (<https://api.tosspayments.com>) and `USHER_TOSS_SECRET` (required) are this service's own; [`VARIABLES`] is the table.

use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::server::ServerConfig;
use reqwest::Url;

use crate::timings::PaymentTimings;

/// Where Toss is.
pub const TOSS_URL: Variable = Variable::with_default(
    "USHER_TOSS_URL",
    "https://api.tosspayments.com",
    "base URL of Toss Payments, or of pg-sim",
);
/// Secret of the shop at Toss.
pub const TOSS_SECRET: Variable = Variable::required(
    "USHER_TOSS_SECRET",
    "secret key of the shop at Toss Payments",
)
.secret();

/// This service's own variables.
pub const VARIABLES: &[&Variable] = &[&TOSS_URL, &TOSS_SECRET];

/// How the service runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listeners, tokens, policy, log.
    pub server: ServerConfig,
    /// Its database.
    pub database_url: Secret,
    /// Its broker.
    pub amqp_url: Secret,
    /// Before every exchange and queue name.
    pub amqp_prefix: String,
    /// Every timer.
    pub timings: PaymentTimings,
    /// Where Toss is.
    pub toss_url: Url,
    /// Secret of the shop at Toss.
    pub toss_secret: Secret,
}

impl Config {
    /// Reads every variable before it gives up on one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let server = ServerConfig::read(reader);
        let (database_url, amqp_url) = (
            reader.read(&config::DATABASE_URL),
            reader.read(&config::AMQP_URL),
        );
        let amqp_prefix = reader.read_optional(&config::AMQP_PREFIX);
        let timings = reader.read(&config::TIMINGS);
        let (toss_url, toss_secret) = (reader.read(&TOSS_URL), reader.read(&TOSS_SECRET));
        Ok(Self {
            server: server?,
            database_url: database_url?,
            amqp_url: amqp_url?,
            amqp_prefix: amqp_prefix?.unwrap_or_default(),
            timings: timings?,
            toss_url: toss_url?,
            toss_secret: toss_secret?,
        })
    }
}
