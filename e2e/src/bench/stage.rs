//! What a bench stands on: a folder, a database, keys, the Redis of the stack.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh::clock::{self, Stopwatch};
use mesh::config::{Env, ProcessEnv, Secret};
use mesh::id;
use mesh::identity::{self, Claims, MESH_IDENTITY, Role, SigningKey};
use mesh::pg::testing::TestDatabase;
use mesh::redis::{Redis, RedisValue};
use redis::Pipeline;
use serde_json::json;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use uuid::Uuid;

use super::BenchError;
use super::process::Process;

const ISSUER: &str = "usher-bench";
const MESH_TOKEN: &str = "the secret of a bench";
/// Tokens of a bench outlive it.
const TOKEN_SECONDS: i64 = 14_400;
/// Writes that are forced to disk to learn what one costs.
const SYNCS: u32 = 50;

pub(super) struct Stage {
    folder: PathBuf,
    key: SigningKey,
    database: TestDatabase,
    redis_url: Secret,
    amqp_url: Secret,
    pub(super) redis: Redis,
    /// The process of Redis.
    pub(super) redis_pid: u32,
    pub(super) redis_version: String,
    /// The key ring of tickets and passes, as its file says it.
    pub(super) ring: String,
}

impl Stage {
    pub(super) async fn set() -> Result<Self, BenchError> {
        let folder = std::env::temp_dir().join(format!("usher-bench-{}", id::new()));
        let key = SigningKey::generate()?;
        let seed = STANDARD.encode([7; 32]);
        let ring = json!({"keys": [{"key_id": 1, "seed": seed, "valid_from_time": "2020-01-01T00:00:00Z", "valid_until_time": null}]}).to_string();
        let make = || {
            std::fs::create_dir(&folder)?;
            std::fs::write(folder.join("jwks.json"), key.to_jwks())?;
            std::fs::write(folder.join("queue-keys.json"), &ring)
        };
        make().map_err(|error| BenchError::Io(folder.display().to_string(), error))?;
        let redis_url = variable("USHER_REDIS_URL")?;
        let amqp_url = variable("USHER_AMQP_URL")?;
        let redis = Redis::open(&redis_url)?;
        let info = ask(&redis, &["INFO", "server"]).await?;
        let field = |name: &str| {
            let found = info.lines().find_map(|line| line.strip_prefix(name));
            found.map(str::trim).unwrap_or_default().to_owned()
        };
        Ok(Self {
            folder,
            key,
            database: TestDatabase::create().await?,
            redis_url,
            amqp_url,
            redis,
            redis_pid: field("process_id:").parse().unwrap_or_default(),
            redis_version: field("redis_version:"),
            ring,
        })
    }

    /// Starts a server of the mesh with what all of them need. Its log has warnings alone: a line for each call would be a part of the
    /// limit, which would be easier to reach.
    pub(super) async fn serve(&self, name: &str) -> Result<Process, BenchError> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let variables = [
            ("USHER_JWKS", file("jwks.json")),
            ("USHER_JWT_ISSUER", ISSUER.to_owned()),
            ("USHER_MESH_TOKEN", MESH_TOKEN.to_owned()),
            ("USHER_LOG", "warn".to_owned()),
            (
                "USHER_DATABASE_URL",
                self.database.url().expose().to_owned(),
            ),
            ("USHER_REDIS_URL", self.redis_url.expose().to_owned()),
            ("USHER_AMQP_URL", self.amqp_url.expose().to_owned()),
            // Queues of it stay until the stack is reset; nothing is ever in them.
            ("USHER_AMQP_PREFIX", format!("bench{}.", id::new().simple())),
            ("USHER_QUEUE_KEYS", file("queue-keys.json")),
            (
                "USHER_COUPON_CODE_KEY",
                "a secret of codes for benchmarks alone".to_owned(),
            ),
        ];
        Process::start(name, &self.folder, &variables).await
    }

    /// What an account shows with every call.
    pub(super) fn token(
        &self,
        account_id: Uuid,
        role: Role,
    ) -> Result<MetadataValue<Ascii>, BenchError> {
        let now = clock::now().timestamp();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: "usher".to_owned(),
            sub: account_id,
            roles: vec![role],
            scope: String::new(),
            iat: now,
            exp: now + TOKEN_SECONDS,
            jti: id::new().to_string(),
        };
        let token = format!("Bearer {}", self.key.sign(&claims)?);
        token
            .parse()
            .map_err(|_| BenchError::Contradiction("a token is no metadata".to_owned()))
    }

    /// What booking-svc shows with its calls.
    pub(super) fn peer<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(MESH_IDENTITY, MetadataValue::from_static("booking-svc"));
        metadata.insert(identity::MESH_TOKEN, MetadataValue::from_static(MESH_TOKEN));
        request
    }

    /// The database of all servers that it starts.
    pub(super) fn database_url(&self) -> &Secret {
        self.database.url()
    }

    /// Median time of a small write that is forced to disk.
    pub(super) fn sync_time(&self) -> Result<Duration, BenchError> {
        let path = self.folder.join("sync");
        let measure = || {
            let mut file = std::fs::File::create(&path)?;
            let mut times = Vec::new();
            for _ in 0..SYNCS {
                let watch = Stopwatch::start();
                file.write_all(&[0; 512])?;
                file.sync_data()?;
                times.push(watch.elapsed());
            }
            times.sort_unstable();
            Ok(times.get(times.len() / 2).copied().unwrap_or_default())
        };
        measure().map_err(|error| BenchError::Io(path.display().to_string(), error))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder)); // a folder of temporary files
    }
}

fn variable(name: &'static str) -> Result<Secret, BenchError> {
    let value = ProcessEnv.get(name).ok_or(BenchError::NoStack(name))?;
    Ok(Secret::new(value))
}

/// Asks Redis for a text.
async fn ask(redis: &Redis, command: &[&str]) -> Result<String, BenchError> {
    let mut order = Pipeline::with_capacity(1);
    if let Some((name, arguments)) = command.split_first() {
        order.cmd(name).arg(arguments);
    }
    match redis.run(&order).await?.pop() {
        Some(RedisValue::BulkString(text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
        other => Err(BenchError::Contradiction(format!(
            "Redis answered {other:?}"
        ))),
    }
}
