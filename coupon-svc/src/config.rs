//! Configuration, read once: mesh's variables, and that of Redis.

use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::server::ServerConfig;
use mesh::timings::Timings;

/// Where gates are.
pub const REDIS_URL: Variable = Variable::required(
    "USHER_REDIS_URL",
    "Redis 7 or Valkey, redis://:password@host:port; noeviction, append-only file",
)
.secret();

/// Every variable that it reads.
pub const VARIABLES: &[&Variable] = &[
    &config::LISTEN,
    &config::ADMIN_LISTEN,
    &config::ADDR_FILE,
    &config::DATABASE_URL,
    &config::AMQP_URL,
    &config::AMQP_PREFIX,
    &REDIS_URL,
    &config::JWKS,
    &config::JWT_ISSUER,
    &config::JWT_AUDIENCE,
    &config::MESH_TOKEN,
    &config::POLICY_OVERLAY,
    &config::TIMINGS,
    &config::LOG,
    &config::OTLP_ENDPOINT,
];

/// How the service runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listeners, tokens, policy, log.
    pub server: ServerConfig,
    /// Its database.
    pub database_url: Secret,
    /// Its broker.
    pub amqp_url: Secret,
    /// What its exchanges are prefixed with.
    pub amqp_prefix: String,
    /// Its Redis.
    pub redis_url: Secret,
    /// Timers.
    pub timings: Timings,
}

impl Config {
    /// Reads every variable before it gives up on one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let server = ServerConfig::read(reader);
        let (database_url, redis_url) =
            (reader.read(&config::DATABASE_URL), reader.read(&REDIS_URL));
        let (amqp_url, amqp_prefix) = (
            reader.read(&config::AMQP_URL),
            reader.read_optional(&config::AMQP_PREFIX),
        );
        let timings = reader.read(&config::TIMINGS);
        Ok(Self {
            server: server?,
            database_url: database_url?,
            amqp_url: amqp_url?,
            amqp_prefix: amqp_prefix?.unwrap_or_default(),
            redis_url: redis_url?,
            timings: timings?,
        })
    }
}
