//! Calls to other services of the mesh: connections that notice death, our identity on every call, the caller's trace and time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use self::pool::{Methods, Pool};
use crate::config::Secret;
use crate::deadline;
use crate::descriptors::{self, BrokenDescriptors};
use crate::identity::{MESH_IDENTITY, MESH_TOKEN};
use crate::server::parse_timeout;
use crate::trace::{self, TRACEPARENT};

pub mod pool;

/// A peer of the same network answers a connect at once, or is gone.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// A quiet connection is asked for life this often; without it a channel to a dead peer stays dead.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Time for the answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls in flight to one endpoint; tonic's own hidden buffer of 1,024 would only hide that the peer is slow.
const CALLS_PER_ENDPOINT_MAX: usize = 500;

/// What a peer is not given of the caller's time: its answer has to travel back and be passed on.
const MARGIN: Duration = Duration::from_millis(5);

/// Addresses of the instances of one service: `http://a:1,http://b:2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerList(Vec<String>);

/// A text that lists no addresses.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("is not a list of addresses such as http://a:1,http://b:2")]
pub struct NotAPeerList;

impl FromStr for PeerList {
    type Err = NotAPeerList;

    fn from_str(text: &str) -> Result<Self, NotAPeerList> {
        let addresses: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        let valid = |address: &String| {
            Endpoint::from_shared(address.clone()).is_ok_and(|endpoint| {
                endpoint.uri().scheme_str() == Some("http") && endpoint.uri().port().is_some()
            })
        };
        if addresses.iter().all(valid) {
            Ok(Self(addresses))
        } else {
            Err(NotAPeerList)
        }
    }
}

impl PeerList {
    /// The addresses.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.0
    }

    /// One service over all addresses; each is connected to when it is first used.
    pub fn pool(&self, methods: Methods) -> Result<Pool, tonic::transport::Error> {
        let endpoints = self.0.iter().map(|address| endpoint(address));
        let endpoints: Vec<Endpoint> = endpoints.collect::<Result<_, _>>()?;
        let channels = endpoints.iter();
        let channels = channels.map(|it| [it.connect_lazy(), it.connect_lazy()]);
        Ok(Pool::new(channels, methods))
    }
}

fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    Ok(Endpoint::from_shared(address.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .concurrency_limit(CALLS_PER_ENDPOINT_MAX))
}

/// What a generated client of a peer is made of.
pub type Peer = InterceptedService<Pool, Member>;

/// Why a peer cannot be called.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The addresses are wrong.
    #[error("the addresses of the peer are wrong")]
    Address(#[from] tonic::transport::Error),
    /// The contracts are broken.
    #[error(transparent)]
    Descriptors(#[from] BrokenDescriptors),
    /// The secret has characters that metadata cannot carry.
    #[error("the mesh token has characters that a header cannot carry")]
    Token,
}

/// Calls to the instances at `peers` in the name of `service`.
pub fn peer(service: &'static str, peers: &PeerList, token: &Secret) -> Result<Peer, ClientError> {
    let mut proof: MetadataValue<Ascii> = token.expose().parse().map_err(|_| ClientError::Token)?;
    proof.set_sensitive(true);
    let methods = Methods::of(&descriptors::pool()?);
    Ok(InterceptedService::new(
        peers.pool(methods)?,
        Member { service, proof },
    ))
}

/// Signs every call as a member of the mesh.
#[derive(Clone)]
pub struct Member {
    service: &'static str,
    proof: MetadataValue<Ascii>,
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Member")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Interceptor for Member {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert(MESH_IDENTITY, MetadataValue::from_static(self.service));
        metadata.insert(MESH_TOKEN, self.proof.clone());
        if let Some(left) = deadline::left() {
            let asked = metadata.get("grpc-timeout");
            let asked = asked.and_then(|value| parse_timeout(value.to_str().ok()?));
            let left = left.saturating_sub(MARGIN);
            request.set_timeout(asked.map_or(left, |asked| asked.min(left)));
        }
        let metadata = request.metadata_mut();
        if let Some(trace) = trace::current()
            && let Ok(value) = trace.to_string().parse()
        {
            metadata.insert(TRACEPARENT, value);
        }
        Ok(request)
    }
}

/// A request that has to be answered within `limit`; the peer is told, too. Within a call it gets no more than the caller has left.
pub fn request<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_addresses_is_read() {
        let list: PeerList = "http://a:1, http://b:2".parse().unwrap();
        assert_eq!(list.addresses(), ["http://a:1", "http://b:2"]);
        for wrong in [
            "",
            "a:1",
            "http://a",
            "http://a:1,,",
            "https://a:1",
            "http://a:1;http://b:2",
        ] {
            assert_eq!(wrong.parse::<PeerList>(), Err(NotAPeerList), "{wrong}");
        }
    }
}
