//! The sockets: accepting, connections that end without an answer, times when nobody listens, and the end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mesh::tasks::Tasks;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, info, warn};

mod running;
mod wire;

pub use running::Running;

use self::wire::Wire;
use crate::config::Config;
use crate::desk::Desk;
use crate::exchange::Hangup;
use crate::{oracle, robot, toss};

/// Connections at once; further ones wait in the backlog.
const CONNECTIONS_MAX: usize = 1_024;
/// Largest body: a confirm is under 1 KB, a list of faults under 10.
const BODY_BYTES_MAX: usize = 64 * 1_024;
/// Time for the head of a request, so that a silent connection does not hold its place.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a failed accept: the process is out of descriptors and others have to end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time for requests in flight at the end; a latency may be an hour long.
const DRAIN: Duration = Duration::from_secs(2);
/// Outages that wait for their turn: one.
const OUTAGES_MAX: usize = 1;

/// A gateway without a socket.
#[derive(Debug)]
pub struct Simulator {
    desk: Arc<Desk>,
    outages: mpsc::Receiver<Duration>,
}

impl Simulator {
    /// A gateway that remembers nothing yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (sender, outages) = mpsc::channel(OUTAGES_MAX);
        let desk = Desk::new(
            config.toss_secret.clone(),
            config.rates.clone(),
            Tasks::new(),
            sender,
        );
        Self {
            desk: Arc::new(desk),
            outages,
        }
    }

    fn router(&self) -> Router {
        toss::routes(&self.desk)
            .merge(robot::routes())
            .merge(oracle::routes())
            .route("/livez", get(async || "ok"))
            .fallback(toss::no_route)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&self.desk))
    }
}

/// Marks a connection that shall end without an answer.
#[derive(Debug, Error)]
#[error("hung up as a fault asked")]
struct HungUp;

/// Serves until `shutdown`, then finishes what is in flight for a moment. Fails when the address cannot be bound again after an
/// outage.
pub async fn serve(
    mut listener: TcpListener,
    mut simulator: Simulator,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let router = simulator.router();
    let tasks = simulator.desk.tasks.clone();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut era = tasks.stopping().child_token();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(time) = simulator.outages.recv() => {
                info!(millis = time.as_millis(), "nobody listens for {time:?}");
                era.cancel();
                era = tasks.stopping().child_token();
                let address = listener.local_addr()?;
                drop(listener);
                tokio::select! {
                    () = &mut shutdown => {}
                    () = tokio::time::sleep(time) => {}
                }
                listener = TcpListener::bind(address).await?;
            }
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, place)) => drop(tasks.spawn("connection", connection(stream, router.clone(), era.clone(), place))),
                Err(error) => {
                    warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    tasks.shutdown(DRAIN).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn connection(
    stream: TcpStream,
    router: Router,
    era: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let (wire, reset) = Wire::new(stream);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, reset) = (router.clone(), reset.clone());
        async move {
            let response = answer(router, request).await;
            match response.extensions().get::<Hangup>() {
                None => Ok(response),
                Some(Hangup::Close) => Err(HungUp),
                Some(Hangup::Reset) => {
                    reset.ask();
                    Err(HungUp)
                }
            }
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(wire), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = era.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Response<Body> {
    let response: Result<_, Infallible> = router.oneshot(request.map(Body::new)).await;
    match response {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
