//! Redis: one multiplexed connection that comes back, and functions that run whole or not at all on the server.
//!
//! A call that gets no answer may have happened: [`CallError::Unknown`]. So every function has to be idempotent; nothing is repeated here
//! but what the server refused to begin. Functions are Redis Functions, and scripts by their digest where a server forbids those.

mod functions;
mod watch;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use thiserror::Error;

use crate::config::Secret;
use crate::status::chain;

pub use functions::{Function, Library};
pub use redis::Value as RedisValue;

/// Longest wait for an answer. Every function is bounded far below it; a longer silence is an outage.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Commands that may wait to be written. The library's 50 would make callers queue for each other.
const PIPELINE_BUFFER: usize = 1_000;
/// Pauses between attempts to connect: the outage of a server lasts longer, so callers are told instead of waiting.
const RECONNECT_MAX: Duration = Duration::from_secs(2);
/// Attempts before the callers that wait for the connection are told.
const RECONNECT_TRIES: usize = 1;

/// A Redis server. Clones share its connections.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    links: Arc<RwLock<Links>>,
    functions: Arc<functions::Way>,
}

/// Connections to the server that its name led to.
#[derive(Clone)]
struct Links {
    shared: ConnectionManager,
    /// For [`Redis::call_replicated`] alone: WAIT is about the writes of its own connection, and holds up whatever comes behind it.
    gated: ConnectionManager,
    /// How many there were before.
    number: u64,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redis").finish_non_exhaustive()
    }
}

/// Why Redis cannot be used at all.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Not a URL of Redis. It may hold a password, so it is not shown.
    #[error("the URL of Redis is not redis://user:password@host:port")]
    Url,
}

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum CallError {
    /// It did not happen: no connection, or a server that does not take it now.
    #[error("Redis cannot be reached: {0}")]
    Unavailable(String),
    /// It may have happened.
    #[error("Redis did not answer: {0}")]
    Unknown(String),
    /// The server refused it, which is a mistake of ours.
    #[error("Redis refused a call: {0}")]
    Refused(String),
}

impl Redis {
    /// A server at `url`; connected to on the first call.
    pub fn open(url: &Secret) -> Result<Self, OpenError> {
        let client = Client::open(url.expose()).map_err(|_| OpenError::Url)?;
        let links = connect(&client, 0).map_err(|_| OpenError::Url)?;
        Ok(Self {
            client,
            links: Arc::new(RwLock::new(links)),
            functions: Arc::default(),
        })
    }

    /// Calls a function of a library, which is loaded where the server does not have it.
    pub async fn call(
        &self,
        library: &Library,
        function: Function,
        keys: &[&str],
        args: &[Vec<u8>],
    ) -> Result<Value, CallError> {
        let mut links = self.links();
        let call = self
            .functions
            .call(&mut links.shared, library, function, keys, args, None);
        let answer = call.await;
        answer
            .map(|(value, _)| value)
            .map_err(|error| self.told(&error, links.number))
    }

    /// The same, and answers once `replicas` of the server have it, or after `timeout`, with the number of those that do.
    pub async fn call_replicated(
        &self,
        library: &Library,
        function: Function,
        keys: &[&str],
        args: &[Vec<u8>],
        wait: Wait,
    ) -> Result<(Value, u32), CallError> {
        let mut links = self.links();
        let call = self
            .functions
            .call(&mut links.gated, library, function, keys, args, Some(wait));
        let answer = call.await;
        answer.map_err(|error| self.told(&error, links.number))
    }

    /// Removes keys of one hash tag; the server frees their memory in the background.
    pub async fn remove(&self, keys: &[String]) -> Result<(), CallError> {
        let mut order = Pipeline::with_capacity(1);
        order.cmd("UNLINK").arg(keys);
        self.run(&order).await.map(drop)
    }

    /// Sends plain commands in one go.
    pub async fn run(&self, commands: &Pipeline) -> Result<Vec<Value>, CallError> {
        let mut links = self.links();
        let answer = commands.query_async(&mut links.shared).await;
        answer.map_err(|error| self.told(&error, links.number))
    }

    fn links(&self) -> Links {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        links.clone()
    }

    /// What an error of the library means for whoever called. The library keeps a connection whose server is silent, or has become a
    /// replica; here it is given up, and the name of the server is looked up again.
    fn told(&self, error: &RedisError, number: u64) -> CallError {
        let readonly = ErrorKind::Server(ServerErrorKind::ReadOnly);
        if error.is_timeout() || error.kind() == readonly {
            let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
            if links.number == number
                && let Ok(fresh) = connect(&self.client, number + 1)
            {
                *links = fresh;
            }
        }
        told(error)
    }
}

fn connect(client: &Client, number: u64) -> Result<Links, RedisError> {
    let manager = || {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
            .set_number_of_retries(RECONNECT_TRIES)
            .set_max_delay(RECONNECT_MAX);
        ConnectionManager::new_lazy_with_config(client.clone(), config)
    };
    Ok(Links {
        shared: manager()?,
        gated: manager()?,
        number,
    })
}

/// What a replicated call waits for.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Replicas that have to have it.
    pub replicas: u32,
    /// Longest wait for them.
    pub timeout: Duration,
}

/// Whether it happened.
fn told(error: &RedisError) -> CallError {
    let text = chain(error);
    match error.kind() {
        ErrorKind::Io if error.is_connection_refusal() => CallError::Unavailable(text),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain,
        ) => CallError::Unavailable(text),
        ErrorKind::AuthenticationFailed => CallError::Unavailable(text),
        // Refused before the first write: memory is full, or too few replicas are there.
        ErrorKind::Extension if matches!(error.code(), Some("OOM" | "NOREPLICAS" | "MISCONF")) => {
            CallError::Unavailable(text)
        }
        ErrorKind::Server(_) | ErrorKind::Extension => CallError::Refused(text),
        ErrorKind::UnexpectedReturnType | ErrorKind::Client | ErrorKind::InvalidClientConfig => {
            CallError::Refused(text)
        }
        _ => CallError::Unknown(text),
    }
}
