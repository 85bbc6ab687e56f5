//! Claims as they are often made: a lock in Redis around read, check and write. A bench tells what coupon-svc is worth against it.
//!
//! It keeps less than coupon-svc does (no events, no numbers, one row of stock), which is in its favour.

use std::time::Duration;

use coupon_svc::config::REDIS_URL;
use coupon_svc::grpc::status::ALREADY_CLAIMED;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use mesh::clock::Stopwatch;
use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::health::Health;
use mesh::id;
use mesh::pg::{ConnectError, Connection, Database, DatabaseOptions, DomainError, TxError};
use mesh::process::Runtime;
use mesh::redis::{OpenError, Redis, RedisValue};
use mesh::server::{Listeners, Server, ServerConfig, ServerError};
use mesh::status::internal;
use mesh::tasks::Tasks;
use proto::usher::coupon::v1::coupon_service_server::CouponServiceServer;
use redis::Pipeline;
use thiserror::Error;
use tonic::Status;
use uuid::Uuid;

use super::answers::{Answers, sold_out};

/// How long the lock of somebody who died stays.
const LEASE_MS: u64 = 3_000;
/// How long somebody waits for it. The method's deadline may end before.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause before somebody tries again.
const RETRY: Duration = Duration::from_millis(10);
/// Nobody but the owner ends a lock.
const UNLOCK: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Its tables.
pub(super) const TABLES: &str = "
    CREATE TABLE locked_stock (campaign_id uuid PRIMARY KEY, remaining bigint NOT NULL);
    CREATE TABLE locked_coupon (coupon_id uuid PRIMARY KEY, campaign_id uuid NOT NULL, account_id uuid NOT NULL,
        issue_time timestamptz NOT NULL DEFAULT now());
    CREATE INDEX locked_coupon_owner ON locked_coupon (campaign_id, account_id)";

diesel::table! {
    locked_stock (campaign_id) {
        campaign_id -> Uuid,
        remaining -> Int8,
    }
}
diesel::table! {
    locked_coupon (coupon_id) {
        coupon_id -> Uuid,
        campaign_id -> Uuid,
        account_id -> Uuid,
    }
}

/// Every variable that it reads.
pub const VARIABLES: &[&Variable] = &[
    &config::LISTEN,
    &config::ADMIN_LISTEN,
    &config::ADDR_FILE,
    &config::DATABASE_URL,
    &REDIS_URL,
    &config::JWKS,
    &config::JWT_ISSUER,
    &config::JWT_AUDIENCE,
    &config::MESH_TOKEN,
    &config::LOG,
];

/// How it runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listeners, tokens, log.
    pub server: ServerConfig,
    database_url: Secret,
    redis_url: Secret,
}

impl Config {
    /// Reads every variable before it gives up on one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let server = ServerConfig::read(reader);
        let database_url = reader.read(&config::DATABASE_URL);
        let redis_url = reader.read(&REDIS_URL);
        Ok(Self {
            server: server?,
            database_url: database_url?,
            redis_url: redis_url?,
        })
    }
}

/// Why it does not serve.
#[derive(Debug, Error)]
pub enum LockedError {
    /// No database.
    #[error("the database cannot be opened")]
    Database(#[from] ConnectError),
    /// No Redis.
    #[error("Redis cannot be used")]
    Redis(#[from] OpenError),
    /// The server.
    #[error("the server ended")]
    Server(#[from] ServerError),
}

/// Serves until the shutdown of `runtime`.
pub async fn serve(config: Config, runtime: Runtime) -> Result<(), LockedError> {
    let listeners = Listeners::bind(&config.server).await?;
    let options = DatabaseOptions::new("usher-locked");
    let locked = Locked {
        redis: Redis::open(&config.redis_url)?,
        database: Database::connect(&config.database_url, &options, &runtime.tasks).await?,
        tasks: runtime.tasks.clone(),
    };
    Server::new(runtime.tasks, Health::new(), runtime.telemetry)
        .service(CouponServiceServer::new(Answers::Locked(Box::new(locked))))
        .serve(&config.server, listeners, runtime.shutdown)
        .await?;
    Ok(())
}

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) coupon_id: Uuid,
    pub(super) campaign_id: Uuid,
    pub(super) account_id: Uuid,
}

#[derive(Debug)]
enum Refusal {
    SoldOut,
    Already,
}

impl DomainError for Refusal {}

/// The lock, and what stands behind it.
#[derive(Clone, Debug)]
pub(super) struct Locked {
    redis: Redis,
    database: Database,
    tasks: Tasks,
}

impl Locked {
    /// One coupon. It goes on when nobody waits any more: a lock that is left alone would hold up everybody.
    pub(super) async fn claim(&self, wish: Wish) -> Result<Uuid, Status> {
        let locked = self.clone();
        let claim = async move { locked.locked(wish).await };
        let claimed = self.tasks.run("claim", claim).await;
        claimed.unwrap_or_else(|error| Err(internal(&error)))
    }

    async fn locked(&self, wish: Wish) -> Result<Uuid, Status> {
        let key = format!("usher:bench:{}", wish.campaign_id);
        let owner = id::new().to_string();
        let since = Stopwatch::start();
        while !self.lock(&key, &owner).await? {
            if since.elapsed() >= WAIT_MAX {
                return Err(Status::unavailable("others have the lock"));
            }
            tokio::time::sleep(RETRY).await;
        }
        let written = self
            .database
            .transaction("claim", async move |connection: &mut Connection| {
                write(connection, wish).await
            });
        let written = written.await;
        let mut unlock = Pipeline::with_capacity(1);
        unlock.cmd("EVAL").arg(UNLOCK).arg(1).arg(&key).arg(&owner);
        // What is not heard ends with its lease.
        drop(self.redis.run(&unlock).await);
        written.map_err(|error| {
            error.into_status(|refusal| match refusal {
                Refusal::SoldOut => sold_out(),
                Refusal::Already => ALREADY_CLAIMED.refuse("the account has one").into(),
            })
        })?;
        Ok(wish.coupon_id)
    }

    async fn lock(&self, key: &str, owner: &str) -> Result<bool, Status> {
        let mut set = Pipeline::with_capacity(1);
        set.cmd("SET").arg(key).arg(owner).arg("NX");
        set.arg("PX").arg(LEASE_MS);
        let answer = self.redis.run(&set).await;
        let answer = answer.map_err(|error| internal(&error))?;
        Ok(matches!(answer[..], [RedisValue::Okay]))
    }
}

/// Read, check, write.
async fn write(connection: &mut Connection, wish: Wish) -> Result<(), TxError<Refusal>> {
    let stock = locked_stock::table.find(wish.campaign_id);
    let remaining: i64 = stock
        .select(locked_stock::remaining)
        .first(connection)
        .await?;
    if remaining == 0 {
        return Err(TxError::Refused(Refusal::SoldOut));
    }
    let mine = locked_coupon::table
        .filter(locked_coupon::campaign_id.eq(wish.campaign_id))
        .filter(locked_coupon::account_id.eq(wish.account_id))
        .count();
    let mine: i64 = mine.get_result(connection).await?;
    if mine > 0 {
        return Err(TxError::Refused(Refusal::Already));
    }
    let coupon = (
        locked_coupon::coupon_id.eq(wish.coupon_id),
        locked_coupon::campaign_id.eq(wish.campaign_id),
        locked_coupon::account_id.eq(wish.account_id),
    );
    diesel::insert_into(locked_coupon::table)
        .values(coupon)
        .execute(connection)
        .await?;
    diesel::update(stock)
        .set(locked_stock::remaining.eq(remaining - 1))
        .execute(connection)
        .await?;
    Ok(())
}
