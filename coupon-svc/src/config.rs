//! Configuration, read once: mesh's variables, that of Redis, and the key of codes.

use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::server::ServerConfig;
use mesh::timings::Timings;

use crate::domain::code::CodeKey;

/// Where gates are.
pub const REDIS_URL: Variable = Variable::required(
    "USHER_REDIS_URL",
    "Redis 7 or Valkey, redis://:password@host:port; noeviction, append-only file",
)
.secret();

/// What codes follow from and are kept by.
pub const CODE_KEY: Variable = Variable::required(
    "USHER_COUPON_CODE_KEY",
    "secret of all codes, 32 random characters or more; with another one no code works that was made before",
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
    &CODE_KEY,
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
    /// What codes follow from and are kept by.
    pub code_key: CodeKey,
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
        let code_key = reader.read(&CODE_KEY);
        let timings = reader.read(&config::TIMINGS);
        Ok(Self {
            server: server?,
            database_url: database_url?,
            amqp_url: amqp_url?,
            amqp_prefix: amqp_prefix?.unwrap_or_default(),
            redis_url: redis_url?,
            code_key: code_key?,
            timings: timings?,
        })
    }
}
