//! How many wrong codes there may be, of an account and of everybody. Counted in Redis for all instances, and on each instance, too: where
//! Redis is away, or forgets, the instance's own counts hold.

mod local;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::redis::{Function, Library, Redis, RedisValue};
use mesh::status::chain;
use tracing::warn;
use uuid::Uuid;

use self::local::Local;

const CHARGE: Function = Function("charge");
const REFUND: Function = Function("refund");
/// Longest wait for Redis: a hundred times what it needs.
const ANSWER: Duration = Duration::from_millis(300);
/// How long Redis is not asked once it did not answer.
const AWAY: Duration = Duration::from_secs(1);

/// Most wrong codes of an account, and in which time: somebody who copies a code from a poster needs two or three tries.
const OWN: (u32, Duration) = (10, Duration::from_secs(3_600));
/// Most wrong codes of everybody: whoever has many accounts still tries 1.5 million texts a day at most, of 10^12 with eight characters;
/// a thousand people who mistype within one minute are more than any campaign has seen.
const ALL: (u32, Duration) = (1_000, Duration::from_secs(60));

/// Most wrong codes, and in which time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of an account.
    pub own: (u32, Duration),
    /// Of everybody.
    pub all: (u32, Duration),
}

/// The limits that hold.
pub const LIMITS: Limits = Limits { own: OWN, all: ALL };

/// The counts. Clones share them.
#[derive(Clone, Debug)]
pub struct Guesses {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    redis: Redis,
    functions: Library,
    prefix: String,
    limits: Limits,
    local: Mutex<Local>,
    away: Mutex<Option<Stopwatch>>,
}

impl Guesses {
    /// Counts under `name`: deployments that share a Redis do not share their limits.
    #[must_use]
    pub fn new(redis: Redis, name: &str, limits: Limits) -> Self {
        let source = include_str!("guesses/functions.lua");
        Self {
            inner: Arc::new(Inner {
                redis,
                functions: Library::new("usher_codes", source, &[CHARGE, REFUND]),
                prefix: format!("usher:codes:{{{name}}}:"),
                limits,
                local: Mutex::default(),
                away: Mutex::default(),
            }),
        }
    }

    /// Counts a code of `account_id` as wrong before it is looked at, so that many at once are not more than one after the other. Answers
    /// how long to wait when it would be one too many.
    pub async fn charge(&self, account_id: Uuid) -> Result<(), Duration> {
        self.local(|local, limits| local.charge(account_id, limits))?;
        let Limits { own, all } = self.inner.limits;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let args = [
            u64::from(all.0),
            millis(all.1),
            u64::from(own.0),
            millis(own.1),
        ];
        let args = args.map(|arg| arg.to_string().into_bytes());
        match self.call(CHARGE, account_id, &args).await {
            Some(wait) if wait > 0 => {
                self.local(|local, _| local.refund(account_id));
                Err(Duration::from_millis(wait.unsigned_abs()))
            }
            _ => Ok(()),
        }
    }

    /// It was not wrong.
    pub async fn refund(&self, account_id: Uuid) {
        self.local(|local, _| local.refund(account_id));
        self.call(REFUND, account_id, &[]).await;
    }

    fn local<T>(&self, work: impl FnOnce(&mut Local, &Limits) -> T) -> T {
        let local = self.inner.local.lock();
        work(
            &mut local.unwrap_or_else(PoisonError::into_inner),
            &self.inner.limits,
        )
    }

    /// What Redis says; `None`: nothing.
    async fn call(&self, function: Function, account_id: Uuid, args: &[Vec<u8>]) -> Option<i64> {
        let away = || {
            self.inner
                .away
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if away().is_some_and(|since| since.elapsed() < AWAY) {
            return None;
        }
        let Inner {
            redis,
            functions,
            prefix,
            ..
        } = &*self.inner;
        let (all, own) = (format!("{prefix}all"), format!("{prefix}{account_id}"));
        let keys = [all.as_str(), own.as_str()];
        let asked = redis.call(functions, function, &keys, args);
        let problem = match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok(RedisValue::Int(said))) => return Some(said),
            Ok(Ok(_)) => "an answer that nobody understands".to_owned(),
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer".to_owned(),
        };
        warn!("wrong codes are counted on this instance alone: {problem}");
        *away() = Some(Stopwatch::start());
        None
    }
}
