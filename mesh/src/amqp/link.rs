//! One connection with one channel, and what its events say.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::types::{LongString, ShortString, ShortStringError};
use lapin::{Channel, Connection, ConnectionProperties, Event};
use thiserror::Error;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use super::broker::{Broker, BrokerError};
use crate::health::Need;

/// Longest wait for one answer of the broker. Declaring a quorum queue takes tens of milliseconds; a broker that boots takes seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Reply code of an orderly close.
const CLOSE_OK: u16 = 200;

/// What went wrong with the broker.
#[derive(Debug, Error)]
pub enum AmqpError {
    /// It did not answer in time.
    #[error("the broker did not answer {0} in time")]
    Timeout(&'static str),
    /// It, or the way to it, failed.
    #[error("the broker refused {what}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        source: lapin::Error,
    },
    /// A name is longer than AMQP carries.
    #[error("a name is too long for AMQP")]
    Name(#[from] ShortStringError),
    /// The configuration is wrong.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The event options are wrong.
    #[error(transparent)]
    Events(#[from] crate::events::EventsError),
}

/// Waits for an answer of the broker, with a limit.
pub(super) async fn answer<T>(
    what: &'static str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, AmqpError> {
    match tokio::time::timeout(ANSWER_LIMIT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(AmqpError::Refused { what, source }),
        Err(_) => Err(AmqpError::Timeout(what)),
    }
}

pub(super) fn short(text: impl Into<String>) -> Result<ShortString, AmqpError> {
    Ok(ShortString::try_new(text)?)
}

/// An open connection with one channel. Dropping it closes both.
pub(super) struct Link {
    connection: Connection,
    pub(super) channel: Channel,
    /// Cancelled when the connection fails.
    pub(super) broken: CancellationToken,
    _watch: DropGuard,
}

impl Link {
    /// Connects. `check` is the name under which health shows the connection.
    pub(super) async fn open(broker: &Broker, check: &'static str) -> Result<Self, AmqpError> {
        let name = LongString::from(format!("{} {check}", broker.client));
        let properties = ConnectionProperties::default().with_connection_name(name);
        let connection = answer(
            "connect",
            Connection::connect_uri(broker.uri()?, properties),
        )
        .await?;
        let (broken, watch) = (CancellationToken::new(), CancellationToken::new());
        let events = connection.events_listener();
        broker.tasks.spawn(
            "amqp events",
            attend(broker.clone(), check, events, broken.clone(), watch.clone()),
        );
        let watch = watch.drop_guard();
        let channel = answer("channel.open", connection.create_channel()).await?;
        Ok(Self {
            connection,
            channel,
            broken,
            _watch: watch,
        })
    }

    /// Closes in order: what is unacknowledged goes back to its queue.
    pub(super) async fn close(self) {
        for closed in [
            answer(
                "channel.close",
                self.channel.close(CLOSE_OK, "stopping".into()),
            )
            .await,
            answer(
                "connection.close",
                self.connection.close(CLOSE_OK, "stopping".into()),
            )
            .await,
        ] {
            if let Err(error) = closed {
                // It was on its way out anyhow; the broker notices by itself.
                info!(error = %error, "a broker connection was not closed in order: {error}");
            }
        }
    }
}

/// Shows in health what the connection tells of itself, until `watch` or the connection ends.
async fn attend(
    broker: Broker,
    check: &'static str,
    events: impl futures_util::Stream<Item = Event>,
    broken: CancellationToken,
    watch: CancellationToken,
) {
    let events = events.take_until(watch.cancelled());
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                warn!(check, reason, "the broker blocks {check}: {reason}");
                broker
                    .health
                    .down(check, Need::Degrading, "blocked by the broker");
            }
            Event::ConnectionUnblocked => broker.health.up(check, Need::Degrading),
            Event::Error(error) => {
                warn!(check, error = %error, "{check} lost the broker: {error}");
                broken.cancel();
            }
            _ => {}
        }
    }
    broken.cancel();
}

/// What is done with a link while it holds.
pub(super) trait Session: Sync {
    /// Prepares the link and works until it breaks or `stop`; at the stop it closes the link. An error makes the next pause longer.
    fn run(
        &self,
        link: Link,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<(), AmqpError>> + Send;
}

/// Runs `session` on a fresh link again and again, with growing pauses after failures, until `stop`.
pub(super) async fn supervise<S: Session>(
    broker: &Broker,
    check: &'static str,
    stop: &CancellationToken,
    session: &S,
) {
    let mut failures: u32 = 0;
    while !stop.is_cancelled() {
        let opened = tokio::select! {
            opened = Link::open(broker, check) => opened,
            () = stop.cancelled() => return,
        };
        let outcome = match opened {
            Ok(link) => session.run(link, stop).await,
            Err(error) => Err(error),
        };
        if stop.is_cancelled() {
            return;
        }
        broker.health.down(check, Need::Degrading, "not connected");
        metrics::counter!("usher_amqp_reconnects_total", "check" => check).increment(1);
        match outcome {
            Ok(()) => failures = 0,
            Err(error) => {
                let text = crate::status::chain(&error);
                warn!(check, error = text, "{check} failed: {text}");
            }
        }
        let pause = broker.reconnect.wait(failures);
        failures = failures.saturating_add(1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
