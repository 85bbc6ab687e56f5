use std::sync::Arc;

use lapin::uri::AMQPUri;
use thiserror::Error;

use crate::config::Secret;
use crate::health::Health;
use crate::tasks::Tasks;
use crate::timings::Ladder;

/// Seconds between heartbeats when the URL does not say: a dead peer is noticed within two of them.
const HEARTBEAT_SECONDS: u16 = 10;

/// Longest prefix; with the longest queue name and `.park` it stays below AMQP's 255 bytes.
const PREFIX_MAX: usize = 64;

/// Where the broker is and under which names we live there. Clones share it.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(super) url: Secret,
    pub(super) prefix: Arc<str>,
    pub(super) client: Arc<str>,
    pub(super) health: Health,
    pub(super) tasks: Tasks,
    pub(super) reconnect: Ladder,
}

/// Why a broker cannot be used.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Not an AMQP URL. It may hold a password, so it is not shown.
    #[error("the broker's URL is not amqp://user:password@host:port/vhost")]
    Url,
    /// The prefix would make names that AMQP does not carry.
    #[error(
        "the prefix is longer than 64 bytes or has other characters than letters, digits and . _ -"
    )]
    Prefix,
}

impl Broker {
    /// A broker at `url`. `client` names the connections, `health` shows them as degrading checks, `prefix` goes before every name.
    pub fn new(
        url: &Secret,
        prefix: &str,
        client: &str,
        health: &Health,
        tasks: &Tasks,
        reconnect: Ladder,
    ) -> Result<Self, BrokerError> {
        let _: AMQPUri = url.expose().parse().map_err(|_: String| BrokerError::Url)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if prefix.len() > PREFIX_MAX || !prefix.bytes().all(allowed) {
            return Err(BrokerError::Prefix);
        }
        Ok(Self {
            url: url.clone(),
            prefix: prefix.into(),
            client: client.into(),
            health: health.clone(),
            tasks: tasks.clone(),
            reconnect,
        })
    }

    pub(super) fn uri(&self) -> Result<AMQPUri, BrokerError> {
        let mut uri: AMQPUri = self
            .url
            .expose()
            .parse()
            .map_err(|_: String| BrokerError::Url)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(uri)
    }

    /// `name` as it is called on the broker.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
