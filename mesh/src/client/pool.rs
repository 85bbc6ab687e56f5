//! Calls over the instances of a peer: to the less busy of two that answer, and once more elsewhere when one does not.
//!
//! Whoever answers is taken at its word: what is UNAVAILABLE behind it, a database or a provider, is so for the others too, and its
//! RetryInfo says when to come back. What tonic's own balancer lacks: an instance that refuses connections looks idle to it and attracts every call.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt, Full};
use prost_reflect::DescriptorPool;
use prost_types::method_options::IdempotencyLevel;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::TimeoutExpired;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::retry::budget::{Budget, TpsBudget};
use tower::{BoxError, Service, ServiceExt};

use crate::random;
use crate::server::grpc_timeout;

/// Tries of one call, the first included: a second instance, and one more for a restart that rolls on meanwhile.
const TRIES_MAX: u32 = 3;
/// Retries in 100 calls at most, beside [`RETRIES_PER_SECOND`]: a peer that is down is not drowned when it comes back.
const RETRY_SHARE: f32 = 0.2;
/// Retries that are always allowed, for peers with few calls.
const RETRIES_PER_SECOND: u32 = 10;
/// How long a call counts towards the share.
const BUDGET_TIME: Duration = Duration::from_secs(10);
/// Full jitter before the second try, doubled for the third: long enough not to meet the same moment, short beside any deadline.
const PAUSE: Duration = Duration::from_millis(20);
/// An instance that did not answer is left alone this long, doubled with each failure up to [`PROBATION_MAX`].
const PROBATION: Duration = Duration::from_millis(200);
/// Silence shorter than this says more about the caller, who gave so little time, than about the instance.
const SILENCE_MIN: Duration = Duration::from_millis(500);
/// Longest probation: never away for good.
const PROBATION_MAX: Duration = Duration::from_secs(5);

/// What the pool has to know of methods.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// Those that may be sent again: whose contract says NO_SIDE_EFFECTS or IDEMPOTENT, and whose request is one message.
    repeatable: Arc<BTreeSet<String>>,
    /// Those that answer in parts, for minutes.
    streams: Arc<BTreeSet<String>>,
}

impl Methods {
    /// The methods of these contracts.
    #[must_use]
    pub fn of(contracts: &DescriptorPool) -> Self {
        let (mut repeatable, mut streams) = (BTreeSet::new(), BTreeSet::new());
        let services = contracts.services();
        for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let options = method.method_descriptor_proto().options.as_ref();
            let level = options.map_or(IdempotencyLevel::IdempotencyUnknown, |options| {
                options.idempotency_level()
            });
            if method.is_server_streaming() {
                streams.insert(path.clone());
            }
            if level != IdempotencyLevel::IdempotencyUnknown && !method.is_client_streaming() {
                repeatable.insert(path);
            }
        }
        Self {
            repeatable: Arc::new(repeatable),
            streams: Arc::new(streams),
        }
    }
}

/// The instances of a peer as one service. Clones share what is known of them.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    instances: Vec<Instance>,
    methods: Methods,
    budget: TpsBudget,
}

/// One address, and how it has answered lately.
struct Instance {
    channel: Channel,
    /// A connection of their own for answers in parts: as many as one connection carries would otherwise keep every call out.
    streams: Channel,
    in_flight: AtomicUsize,
    health: Mutex<Probation>,
}

#[derive(Clone, Copy, Default)]
struct Probation {
    failures: u32,
    until: Option<Instant>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("instances", &self.inner.instances.len())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Calls over these channels, two an instance: one for calls, one for answers in parts.
    #[must_use]
    pub fn new(channels: impl IntoIterator<Item = [Channel; 2]>, methods: Methods) -> Self {
        let instance = |[channel, streams]: [Channel; 2]| Instance {
            channel,
            streams,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        };
        let inner = Inner {
            instances: channels.into_iter().map(instance).collect(),
            methods,
            budget: TpsBudget::new(BUDGET_TIME, RETRIES_PER_SECOND, RETRY_SHARE),
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

type Answer = Result<http::Response<Body>, BoxError>;

impl Service<http::Request<Body>> for Pool {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.call(request).await })
    }
}

impl Inner {
    async fn call(&self, request: http::Request<Body>) -> Answer {
        if !self.methods.repeatable.contains(request.uri().path()) {
            let end = grpc_timeout(request.headers()).map(|time| Instant::now() + time);
            let streamed = self.streams(&request);
            return self.pick(None)?.send(request, streamed, end).await;
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let end = grpc_timeout(&parts.headers).map(|time| Instant::now() + time);
        self.budget.deposit();
        let mut last: Option<&Instance> = None;
        let mut tries = 0;
        loop {
            let instance = self.pick(last)?;
            // The first try has the caller's time as it said it.
            let told = end.filter(|_| tries > 0);
            let request = request_with(&parts, &body, told);
            let streamed = self.streams(&request);
            let answer = instance.send(request, streamed, end).await;
            tries += 1;
            let pause = random::jitter(PAUSE * tries);
            let in_time = end.is_none_or(|end| Instant::now() + pause < end);
            if answer.is_ok() || tries == TRIES_MAX || !in_time || !self.budget.withdraw() {
                return answer;
            }
            metrics::counter!("usher_client_retries_total").increment(1);
            sleep(pause).await;
            last = Some(instance);
        }
    }

    fn streams(&self, request: &http::Request<Body>) -> bool {
        self.methods.streams.contains(request.uri().path())
    }

    /// The less busy of two random instances that answer; if none does, of all. Not the one that was tried just now, if there is another.
    fn pick(&self, last: Option<&Instance>) -> Result<&Instance, BoxError> {
        let now = Instant::now();
        let others = || {
            let last = last.map(std::ptr::from_ref);
            let instances = self.instances.iter();
            instances.filter(move |instance| Some(std::ptr::from_ref(*instance)) != last)
        };
        let mut candidates: Vec<&Instance> = others().filter(|it| it.answers(now)).collect();
        if candidates.is_empty() {
            candidates = others().collect();
        }
        if candidates.is_empty() {
            candidates = self.instances.iter().collect();
        }
        let one = candidates.get(random::below(candidates.len()));
        let two = candidates.get(random::below(candidates.len()));
        let least = one.into_iter().chain(two).min_by_key(|it| it.in_flight());
        least
            .copied()
            .ok_or_else(|| "the peer has no address".into())
    }
}

impl Instance {
    /// Sends until `end`; tonic's own timer starts only once there is a connection.
    async fn send(
        &self,
        request: http::Request<Body>,
        streamed: bool,
        end: Option<Instant>,
    ) -> Answer {
        let _counted = InFlight::new(&self.in_flight);
        let begin = Instant::now();
        let channel = if streamed {
            &self.streams
        } else {
            &self.channel
        };
        let sent = channel.clone().oneshot(request);
        let answer = match end {
            Some(end) => timeout_at(end, sent).await.map_err(BoxError::from),
            None => Ok(sent.await),
        };
        let answer = answer.and_then(|answer| answer.map_err(BoxError::from));
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match &answer {
            Ok(_) => *health = Probation::default(),
            Err(error) if is_timeout(error.as_ref()) && begin.elapsed() < SILENCE_MIN => {}
            Err(_) => {
                let time = PROBATION.saturating_mul(2_u32.saturating_pow(health.failures));
                health.failures = health.failures.saturating_add(1);
                health.until = Some(Instant::now() + time.min(PROBATION_MAX));
            }
        }
        answer
    }

    fn answers(&self, now: Instant) -> bool {
        let health = *self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.until.is_none_or(|until| until <= now)
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Whether the caller's time was up before an answer came: by tonic's timer, or by the pool's while it connects.
#[must_use]
pub fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.any(|error| error.is::<TimeoutExpired>() || error.is::<Elapsed>())
}

/// Counts a call as long as it lives.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The request once more, with the time that is left.
fn request_with(parts: &Parts, body: &Bytes, end: Option<Instant>) -> http::Request<Body> {
    let mut parts = parts.clone();
    if let Some(end) = end {
        let left = end.saturating_duration_since(Instant::now());
        // At most 8 digits: 27 hours of milliseconds.
        if let Ok(value) = format!("{}m", left.as_millis().min(99_999_999)).parse() {
            parts.headers.insert("grpc-timeout", value);
        }
    }
    http::Request::from_parts(parts, Body::new(Full::new(body.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds that a request with this end tells.
    fn told(end: Option<Instant>) -> Option<u64> {
        let request = http::Request::builder().header("grpc-timeout", "9S");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let request = request_with(&parts, &Bytes::new(), end);
        let text = request.headers()["grpc-timeout"]
            .to_str()
            .unwrap()
            .to_owned();
        text.strip_suffix('m').map(|digits| digits.parse().unwrap())
    }

    #[test]
    fn every_try_tells_the_time_that_is_left() {
        let now = Instant::now();
        let second = told(Some(now + Duration::from_secs(1))).unwrap();
        assert!((1..=1_000).contains(&second), "{second}");
        assert_eq!(told(Some(now)), Some(0));
        let hour = told(Some(now + Duration::from_secs(3_600))).unwrap();
        assert!(
            (3_000_000..=3_600_000).contains(&hour),
            "a long one is not cut: {hour}"
        );
        assert_eq!(told(None), None, "as the caller said it");
    }

    /// Whether an instance that says nothing counts as one that answers, after a call with this much time.
    async fn answers_after(time: Duration) -> bool {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", silent.local_addr().unwrap());
        let channel = Channel::from_shared(address).unwrap().connect_lazy();
        let pool = Pool::new([[channel.clone(), channel]], Methods::default());
        let request =
            http::Request::builder().header("grpc-timeout", format!("{}m", time.as_millis()));
        let request = request.uri("/a.B/C").body(Body::empty()).unwrap();
        pool.clone().call(request).await.unwrap_err();
        pool.inner.instances[0].answers(Instant::now())
    }

    #[tokio::test]
    async fn callers_without_patience_put_nobody_on_probation() {
        assert!(answers_after(Duration::from_millis(5)).await);
        assert!(!answers_after(SILENCE_MIN + Duration::from_millis(50)).await);
    }

    #[test]
    fn only_methods_that_say_so_are_repeated() {
        let methods = Methods::of(&crate::descriptors::pool().unwrap());
        let is = |path: &str| methods.repeatable.contains(path);
        assert!(is("/usher.booking.v1.BookingService/CreateBooking"));
        assert!(is("/usher.booking.v1.BookingService/GetBooking"));
        assert!(!is("/grpc.health.v1.Health/Check"));
        let streams = |path: &str| methods.streams.contains(path);
        assert!(streams("/usher.booking.v1.BookingService/WatchBooking"));
        assert!(!streams("/usher.booking.v1.BookingService/GetBooking"));
    }
}
