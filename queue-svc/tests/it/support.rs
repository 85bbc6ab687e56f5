//! What the tests of this binary share.

use mesh::config::{Env, ProcessEnv, Secret};
use mesh::redis::{Library, Redis};
use queue_svc::line::{Line, library_on};
use redis::Pipeline;
use uuid::Uuid;

/// Time and server of a line are keys of it, which a test sets.
pub(crate) const SET_BY_TEST: &str = "
local function clock(P) return tonumber(redis.call('GET', P .. 'clock')) end
local function fence(P) return redis.call('GET', P .. 'fence') or '' end
";

/// The same without the fence: the server never seems to be another one.
pub(crate) const UNFENCED: &str = "
local function clock(P) return tonumber(redis.call('GET', P .. 'clock')) end
local function fence(P) return 'always the same' end
";

/// Where the Redis of the stack is.
pub(crate) fn redis_url() -> String {
    ProcessEnv.get("USHER_REDIS_URL").expect(
        "USHER_REDIS_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    )
}

/// Where the RabbitMQ of the stack is.
pub(crate) fn amqp_url() -> String {
    ProcessEnv.get("USHER_AMQP_URL").expect(
        "USHER_AMQP_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    )
}

/// The Redis of the stack.
pub(crate) fn redis() -> Redis {
    Redis::open(&Secret::new(redis_url())).unwrap()
}

/// A line whose clock and server the test sets.
pub(crate) struct Stage {
    pub(crate) redis: Redis,
    pub(crate) line: Line,
}

impl Stage {
    pub(crate) fn new(redis: &Redis, library: &Library) -> Self {
        let show_id: Uuid = mesh::id::new();
        Self {
            redis: redis.clone(),
            line: Line::new(redis.clone(), library.clone(), show_id, 1, None),
        }
    }

    pub(crate) async fn set(&self, name: &str, value: impl std::fmt::Display) {
        let mut order = Pipeline::with_capacity(1);
        order
            .cmd("SET")
            .arg(format!("{}{name}", self.line.prefix()))
            .arg(value.to_string());
        self.redis.run(&order).await.unwrap();
    }

    /// Keys of the line.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let pattern = format!("{}*", self.line.prefix());
        let mut look = Pipeline::with_capacity(1);
        look.cmd("KEYS").arg(pattern);
        let found = self.redis.run(&look).await.unwrap().pop().unwrap();
        redis::from_redis_value(found).unwrap()
    }

    /// Everything the server knows of the line is gone, as after a restart without its data.
    pub(crate) async fn lose(&self) {
        let keys = self.keys().await;
        if !keys.is_empty() {
            let mut delete = Pipeline::with_capacity(1);
            delete.cmd("UNLINK").arg(keys);
            self.redis.run(&delete).await.unwrap();
        }
    }
}

/// The functions on seams of the test.
pub(crate) fn on_test_seams() -> Library {
    library_on(SET_BY_TEST)
}
