//! One bounded pool of connections, each with its limits set.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bb8::ErrorSink;
use diesel::result::{ConnectionError, Error};
use diesel::sql_types::Text;
use diesel::{ConnectionResult, QueryResult, QueryableByName};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod, bb8 as pooled,
};
use diesel_async::{
    AnsiTransactionManager, AsyncPgConnection, SimpleAsyncConnection, TransactionManager,
};
use futures_util::FutureExt;
use tokio_postgres::{Config, NoTls};
use tracing::warn;

use super::database::DatabaseOptions;
use super::error::ConnectError;
use crate::config::Secret;

/// A connection is there within this time or the attempt is given up: longer than any handshake, shorter than a caller's patience.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest silence of a server that should answer: ten lost packets in a row, and a fraction of the quarter of an hour that TCP itself
/// waits for a machine that is gone without a word.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

pub(super) type Pooled<'a> = pooled::PooledConnection<'a, AsyncPgConnection>;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoConnection {
    /// All are in use.
    Busy,
    /// The server gives none.
    Unavailable,
}

#[derive(Clone)]
pub(super) struct Pool {
    inner: pooled::Pool<AsyncPgConnection>,
    failures: Arc<AtomicU64>,
    size: u32,
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Opens a pool of `size` connections and waits for the first one.
    pub(super) async fn open(
        url: &Secret,
        size: u32,
        acquire_timeout: Duration,
        options: &DatabaseOptions,
    ) -> Result<Self, ConnectError> {
        let mut config = ManagerConfig::<AsyncPgConnection>::default();
        // A checkout costs no round trip; a connection that died meanwhile shows at BEGIN, where another one is taken.
        config.recycling_method = RecyclingMethod::Fast;
        let limits: Arc<str> = options.session().into();
        let silence = options.silence;
        config.custom_setup = Box::new(move |url| {
            let (url, limits) = (url.to_owned(), Arc::clone(&limits));
            async move { establish(&url, &limits, silence).await }.boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(url.expose(), config);
        let failures = Arc::new(AtomicU64::new(0));
        let inner = pooled::Pool::builder()
            .max_size(size)
            .connection_timeout(acquire_timeout)
            .error_sink(Box::new(Failures(Arc::clone(&failures))))
            .build_unchecked(manager);
        // The first connection is made here, so that a wrong URL stops the start instead of the first caller.
        let first = tokio::time::timeout(CONNECT_LIMIT, inner.dedicated_connection())
            .await
            .map_err(|_| ConnectError::Timeout)?
            .map_err(ConnectError::Connect)?;
        // A full pool would hand it back; this one is empty, and what does not fit is closed.
        drop(inner.add(first));
        Ok(Self {
            inner,
            failures,
            size,
        })
    }

    /// A connection within the acquire timeout.
    pub(super) async fn get(&self) -> Result<Pooled<'_>, NoConnection> {
        let before = self.failures.load(Ordering::Relaxed);
        self.inner.get().await.map_err(|_| {
            let failed = self.failures.load(Ordering::Relaxed) != before;
            if failed || self.inner.state().connections == 0 {
                NoConnection::Unavailable
            } else {
                metrics::counter!("usher_database_busy_total").increment(1);
                NoConnection::Busy
            }
        })
    }

    /// Times that a dead connection is worth replacing by the next one: all of the pool may be dead after a restart of the server.
    pub(super) fn replacements(&self) -> u32 {
        self.size
    }

    pub(super) fn in_use(&self) -> u32 {
        let state = self.inner.state();
        state.connections.saturating_sub(state.idle_connections)
    }
}

/// Keeps a dead connection from going back to the pool, which by itself notices only open transactions.
pub(super) fn discard(connection: &mut AsyncPgConnection) {
    AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
}

/// Counts failed attempts to connect, which tells "all in use" from "the server is away".
#[derive(Debug)]
struct Failures(Arc<AtomicU64>);

impl ErrorSink<PoolError> for Failures {
    fn sink(&self, error: PoolError) {
        self.0.fetch_add(1, Ordering::Relaxed);
        warn!(error = %error, "a database connection could not be made: {error}");
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<PoolError>> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

/// A connection outside of any pool, with `session` run on it.
pub(super) async fn establish(
    url: &str,
    session: &str,
    silence: Duration,
) -> ConnectionResult<AsyncPgConnection> {
    tokio::time::timeout(CONNECT_LIMIT, async {
        let mut connection = connect(url, silence).await?;
        connection
            .batch_execute(session)
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        check_language(&mut connection).await?;
        Ok(connection)
    })
    .await
    .unwrap_or_else(|_| {
        Err(ConnectionError::BadConnection(format!(
            "no connection within {CONNECT_LIMIT:?}"
        )))
    })
}

/// A connection that ends when the server keeps silent: after `silence`, or after the `tcp_user_timeout` that the URL sets.
async fn connect(url: &str, silence: Duration) -> ConnectionResult<AsyncPgConnection> {
    let wrong = |error: tokio_postgres::Error| {
        ConnectionError::CouldntSetupConfiguration(Error::QueryBuilderError(Box::new(error)))
    };
    let mut config: Config = url.parse().map_err(wrong)?;
    if config.get_tcp_user_timeout().is_none() {
        // Sockets count keepalives in seconds.
        let idle = silence.max(Duration::from_secs(1));
        config
            .tcp_user_timeout(silence)
            .keepalives_idle(idle)
            .keepalives_interval(idle);
    }
    let (client, connection) = config.connect(NoTls).await.map_err(wrong)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

#[derive(QueryableByName)]
struct Language {
    #[diesel(sql_type = Text)]
    lc_messages: String,
}

/// Deadlocks and timeouts are known by the server's English text (`error::TEXTS`).
async fn check_language(connection: &mut AsyncPgConnection) -> ConnectionResult<()> {
    // Not imported above: its `load` would hide that of an atomic in an Arc.
    use diesel_async::RunQueryDsl;
    let language: QueryResult<Language> =
        diesel::sql_query("SELECT current_setting('lc_messages') AS lc_messages")
            .get_result(connection)
            .await;
    let language = language.map_err(ConnectionError::CouldntSetupConfiguration)?;
    if speaks_english(&language.lc_messages) {
        Ok(())
    } else {
        let text = format!(
            "lc_messages is {:?}, and errors are told apart by their English text; cure: ALTER DATABASE ... SET lc_messages = 'C'",
            language.lc_messages
        );
        Err(ConnectionError::CouldntSetupConfiguration(
            Error::QueryBuilderError(text.into()),
        ))
    }
}

fn speaks_english(lc_messages: &str) -> bool {
    // The empty setting follows the server's own environment, which is English in every distribution's service unit.
    let language = lc_messages.split(['.', '@']).next().unwrap_or_default();
    matches!(language, "" | "C" | "POSIX") || language.starts_with("en_")
}

#[cfg(test)]
mod tests {
    use super::speaks_english;

    #[test]
    fn a_server_that_speaks_another_language_is_refused() {
        for english in ["", "C", "C.UTF-8", "POSIX", "en_US.UTF-8", "en_GB"] {
            assert!(speaks_english(english), "{english}");
        }
        for other in ["ko_KR.UTF-8", "de_DE", "Korean_Korea.949"] {
            assert!(!speaks_english(other), "{other}");
        }
    }
}
