//! Configuration, read once: mesh's variables for a server and its database, and those of Redis, keys and replicas.

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

/// Every variable that it reads; no broker's, it has none.
pub const VARIABLES: &[&Variable] = &[
    &config::LISTEN,
    &config::ADMIN_LISTEN,
    &config::ADDR_FILE,
    &config::DATABASE_URL,
    &REDIS_URL,
    &QUEUE_KEYS,
    &WAIT_REPLICAS,
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
    /// Its Redis.
    pub redis_url: Secret,
    /// File of the keys.
    pub keys: String,
    /// Replicas that must know of a pass.
    pub wait_replicas: u32,
    /// Timers.
    pub timings: Timings,
}

impl Config {
    /// Reads every variable before it gives up on one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let server = ServerConfig::read(reader);
        let (database_url, redis_url) =
            (reader.read(&config::DATABASE_URL), reader.read(&REDIS_URL));
        let (keys, wait_replicas) = (reader.read(&QUEUE_KEYS), reader.read(&WAIT_REPLICAS));
        let timings = reader.read(&config::TIMINGS);
        Ok(Self {
            server: server?,
            database_url: database_url?,
            redis_url: redis_url?,
            keys: keys?,
            wait_replicas: wait_replicas?,
            timings: timings?,
        })
    }
}
