//! Sockets: accepts, speaks HTTP/1.1 and HTTP/2 with limits, and ends when told to.
//!
//! A client can be slow in four places: before its first request, in a head, in a body (see `body`), and by staying. Each has a limit.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use mesh::tasks::Tasks;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::{ServiceBuilder, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tracing::{debug, warn};

use crate::answer::Body;
use crate::compress::{self, Worthwhile};
use crate::limits::Limits;

/// Most headers of one request.
const HEADERS_MAX: usize = 100;
/// Most bytes of one request head. Tokens take up to 8 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Requests at once over one HTTP/2 connection, as browsers expect it.
const STREAMS_MAX: u32 = 100;
/// Streams a client may open and reset before it is taken for an attack (CVE-2023-44487).
const RESETS_MAX: usize = 100;
/// A quiet HTTP/2 connection is asked for life this often, and dropped when it does not answer within [`KEEPALIVE_TIMEOUT`].
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Time for the answer to a keepalive.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept: out of file descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request of the client at `from`.
    fn answer(
        &self,
        from: SocketAddr,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves `handler` until `stop`, then lets requests in work end, at most for the limit of the drain.
pub(crate) async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    cors: Option<CorsLayer>,
    tasks: Tasks,
    limits: Limits,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, from, place)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection = Connection {
            handler: Arc::clone(&handler),
            cors: cors.clone(),
            from,
            limits,
            stop: stop.clone(),
            cut: cut.clone(),
        };
        let owner = Owner(tasks.clone());
        tasks.spawn("connection", async move {
            connection.run(stream, owner).await;
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(limits.drain, room.acquire_many(all)).await.is_err() {
        warn!(
            "connections did not end within {:?} and were cut",
            limits.drain
        );
    }
    cut.cancel();
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, from)) => Some((stream, from, place)),
        Err(error) => {
            warn!(%error, "a connection could not be accepted");
            None
        }
    }
}

/// Gives the tasks of HTTP/2 streams an owner.
#[derive(Clone)]
struct Owner(Tasks);

impl<F> Executor<F> for Owner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn("stream", stream);
    }
}

struct Connection<H> {
    handler: Arc<H>,
    cors: Option<CorsLayer>,
    from: SocketAddr,
    limits: Limits,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl<H: Handler> Connection<H> {
    async fn run(self, stream: TcpStream, owner: Owner) {
        // Answers are written whole; without this the last packet of one waits for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let began = Arc::new(AtomicBool::new(false));
        let (handler, from, asked) = (self.handler, self.from, Arc::clone(&began));
        let answers = service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, Infallible>(handler.answer(from, request).await) }
        });
        let service = ServiceBuilder::new()
            // Whoever is answered by a layer has asked, too.
            .map_request(move |request| {
                asked.store(true, Ordering::Relaxed);
                compress::without_dead_end(request)
            })
            .and_then(compress::whole)
            .layer(CompressionLayer::new().compress_when(Worthwhile))
            .option_layer(self.cors)
            .service(answers);
        let service = TowerToHyperService::new(service);
        let builder = builder(owner, &self.limits);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let (mut first, mut age) = (
            pin!(sleep(self.limits.head)),
            pin!(sleep(self.limits.connection_age)),
        );
        let mut farewell = pin!(sleep(self.limits.connection_age + self.limits.farewell));
        let (mut ending, mut first_due) = (false, true);
        loop {
            tokio::select! {
                outcome = connection.as_mut() => {
                    if let Err(error) = outcome {
                        debug!(error, "a connection failed");
                    }
                    return;
                }
                () = self.cut.cancelled() => return,
                () = farewell.as_mut() => return,
                () = first.as_mut(), if first_due => {
                    if !began.load(Ordering::Relaxed) {
                        return;
                    }
                    first_due = false;
                }
                () = self.stop.cancelled(), if !ending => ending = true,
                () = age.as_mut(), if !ending => ending = true,
            }
            if ending {
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(owner: Owner, limits: &Limits) -> Builder<Owner> {
    let mut builder = Builder::new(owner);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX);
    builder
}
