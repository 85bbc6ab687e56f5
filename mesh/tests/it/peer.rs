//! Calls to a peer of which not every instance answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use mesh::client::PeerList;
use mesh::client::pool::{Methods, Pool};
use mesh::descriptors;
use mesh::tasks::Tasks;
use proto::usher::booking::v1::GetVenueRequest;
use proto::usher::booking::v1::catalog_service_client::CatalogServiceClient;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Retries in 100 calls, and those that are always allowed in a second.
const SHARE: f64 = 0.2;
const ALWAYS: f64 = 10.0;

fn pool(addresses: &[String]) -> Pool {
    let peers: PeerList = addresses.join(",").parse().unwrap();
    let contracts = descriptors::pool().unwrap();
    peers.pool(Methods::of(&contracts)).unwrap()
}

/// An instance that answers every call, with UNIMPLEMENTED.
async fn answering(tasks: &Tasks) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let stop = tasks.stopping();
    tasks.spawn("peer", async move {
        let server = Server::builder().add_routes(Routes::default());
        let served = server
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
                stop.cancelled().await
            });
        served.await.unwrap();
    });
    address
}

/// An instance that hangs up on everybody, and how often it did.
async fn hanging_up(tasks: &Tasks) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let (counted, stop) = (Arc::clone(&count), tasks.stopping());
    tasks.spawn("dead peer", async move {
        while let Some(Ok((connection, _))) = stop.run_until_cancelled(listener.accept()).await {
            counted.fetch_add(1, Ordering::Relaxed);
            drop(connection);
        }
    });
    (address, count)
}

async fn call(pool: &Pool) -> Code {
    let mut client = CatalogServiceClient::new(pool.clone());
    let mut request = Request::new(GetVenueRequest::default());
    request.set_timeout(Duration::from_secs(5));
    client.get_venue(request).await.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_instance_fails_no_call_that_may_be_repeated() {
    let tasks = Tasks::new();
    let (dead, hung_up) = hanging_up(&tasks).await;
    let pool = pool(&[dead, answering(&tasks).await]);
    for number in 0..200 {
        assert_eq!(call(&pool).await, Code::Unimplemented, "call {number}");
    }
    // Nearly all went to the other one at once.
    let hung_up = hung_up.load(Ordering::Relaxed);
    assert!(
        (1..40).contains(&hung_up),
        "{hung_up} calls to a dead instance"
    );
    tasks.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_peer_costs_no_more_retries_than_the_budget() {
    const CALLS: u32 = 400;
    let tasks = Tasks::new();
    let (dead, hung_up) = hanging_up(&tasks).await;
    let pool = pool(&[dead]);
    let begin = Instant::now();
    for code in join_all((0..CALLS).map(|_| call(&pool))).await {
        assert_ne!(code, Code::Unimplemented, "nobody answered");
    }
    // The budget counts the seconds that its calls stay in it.
    let seconds = begin.elapsed().as_secs_f64() + 10.0;
    let allowed = f64::from(CALLS) * (1.0 + SHARE) + ALWAYS * seconds;
    let hung_up = f64::from(hung_up.load(Ordering::Relaxed));
    assert!(
        hung_up <= allowed,
        "{hung_up} tries of {CALLS} calls, {allowed} are allowed"
    );
    tasks.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_repeated_is_sent_once() {
    let tasks = Tasks::new();
    let (dead, hung_up) = hanging_up(&tasks).await;
    let pool = pool(&[dead]);
    // No contract of ours says that health may be asked twice.
    let mut client = HealthClient::new(pool.clone());
    let answer = client.check(HealthCheckRequest::default()).await;
    answer.unwrap_err();
    assert_eq!(hung_up.load(Ordering::Relaxed), 1);
    // Negative control: what may be is tried three times; a try may find the end of the connection before it.
    assert_ne!(call(&pool).await, Code::Unimplemented);
    let tries = hung_up.load(Ordering::Relaxed) - 1;
    assert!((2..=3).contains(&tries), "{tries} connections");
    tasks.shutdown(Duration::from_secs(5)).await;
}
