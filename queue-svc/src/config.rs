//! Configuration, read once: mesh's variables, and those of Redis, keys and replicas.

use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::server::ServerConfig;
use mesh::timings::Timings;

/// Where lines are.
pub const REDIS_URL: Variable = Variable::required(
    "USHER_REDIS_URL",
    "Redis 7 or Valkey, redis://:password@host:port; noeviction, append-only file",
)
.secret();
/// Keys of passes and tickets.
pub const QUEUE_KEYS: Variable = Variable::required(
    "USHER_QUEUE_KEYS",
    "file with the Ed25519 keys of passes, which tickets are sealed with, too; made by usher-token init",
);
/// Replicas that must know of a pass.
pub const WAIT_REPLICAS: Variable = Variable::with_default(
    "USHER_QUEUE_WAIT_REPLICAS",
    "0",
    "replicas of Redis that have to know of a pass before it is told; set all of them where a replica may be promoted",
);

/// Streams of Watch.
pub const STREAMS_MAX: Variable = Variable::with_default(
    "USHER_QUEUE_STREAMS_MAX",
    "20000",
    "people who watch their places on one instance; more are told to poll",
);

/// Every variable that it reads.
pub const VARIABLES: &[&Variable] = &[
    &config::LISTEN,
    &config::ADMIN_LISTEN,
    &config::ADDR_FILE,
    &config::DATABASE_URL,
    &config::AMQP_URL,
    &config::AMQP_PREFIX,
    &REDIS_URL,
    &QUEUE_KEYS,
    &WAIT_REPLICAS,
    &STREAMS_MAX,
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
    /// What its queues and exchanges are prefixed with.
    pub amqp_prefix: String,
    /// Its Redis.
    pub redis_url: Secret,
    /// File of the keys.
    pub keys: String,
    /// Replicas that must know of a pass.
    pub wait_replicas: u32,
    /// Streams of Watch on this instance.
    pub streams_max: usize,
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
        let (keys, wait_replicas) = (reader.read(&QUEUE_KEYS), reader.read(&WAIT_REPLICAS));
        let streams_max = reader.read(&STREAMS_MAX);
        let timings = reader.read(&config::TIMINGS);
        Ok(Self {
            server: server?,
            database_url: database_url?,
            amqp_url: amqp_url?,
            amqp_prefix: amqp_prefix?.unwrap_or_default(),
            redis_url: redis_url?,
            keys: keys?,
            wait_replicas: wait_replicas?,
            streams_max: streams_max?,
            timings: timings?,
        })
    }
}
