//! Slow, idle and too many.

use std::time::Duration;

use mesh::clock::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::door::{Running, send};

const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until the server closes and answers what it said.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn clients_that_do_not_ask_are_closed() {
    let door = Running::with(|config| config.limits.head = Duration::from_millis(300)).await;
    // Nothing; the start of a method that could be HTTP/2; a head that does not end; an HTTP/2 preface alone.
    let starts: [&[u8]; 4] = [
        b"",
        b"P",
        b"GET /v1/venues HTTP/1.1\r\nhost: x\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for start in starts {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        rest(&mut stream).await;
    }
}

#[tokio::test]
async fn a_connection_that_stays_idle_after_a_request_is_closed() {
    let door = Running::with(|config| config.limits.head = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET /v1/venues/x HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_old_connection_is_told_to_end() {
    let door =
        Running::with(|config| config.limits.connection_age = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET /v1/venues/x HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let watch = Stopwatch::start();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert!(watch.elapsed() < PATIENCE, "{:?}", watch.elapsed());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let door = Running::start().await;
    let large = send(
        door.request("GET", "/v1/venues/x")
            .header("x-large", "x".repeat(40 * 1024)),
    )
    .await;
    assert_eq!(large.status, 431);
}

#[tokio::test]
async fn more_requests_than_fit_are_told_to_come_back() {
    let door = Running::with(|config| config.limits.requests = 1).await;
    let first = door.get("/v1/venues/wait");
    let second = async {
        door.services.entered.notified().await;
        let refused = door.get("/v1/venues/x").await;
        door.services.go_on.notify_one();
        refused
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (first.status, second.refusal()),
        (200, (429, "OVERLOADED".to_owned()))
    );
    assert_eq!(second.header("retry-after"), "1");
    assert_eq!(door.get("/v1/venues/x").await.status, 200);
}

#[tokio::test]
async fn a_slow_upload_keeps_nobody_out() {
    let door = Running::with(|config| config.limits.requests = 1).await;
    let token = door.token(&[mesh::identity::Role::Seller]);
    let mut slow = TcpStream::connect(door.address).await.unwrap();
    let head = format!(
        "POST /v1/seating-plans HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 2\r\n\r\nx"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(door.get("/v1/venues/x").await.status, 200);
}

#[tokio::test]
async fn more_connections_than_fit_wait() {
    let door = Running::with(|config| {
        config.limits.connections = 1;
        config.limits.head = Duration::from_millis(500);
    })
    .await;
    let holding = TcpStream::connect(door.address).await.unwrap();
    let mut waiting = TcpStream::connect(door.address).await.unwrap();
    waiting
        .write_all(b"GET /v1/venues/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    assert!(
        timeout(Duration::from_millis(200), waiting.peek(&mut byte))
            .await
            .is_err(),
        "served beside the first"
    );
    drop(holding);
    assert!(rest(&mut waiting).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_drain_finishes_requests_and_ends_although_clients_stay() {
    let mut door = Running::start().await;
    // One connection idle after a request, one that never asked, one in HTTP/2.
    let mut idle = TcpStream::connect(door.address).await.unwrap();
    idle.write_all(b"GET /v1/venues/x HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let silent = TcpStream::connect(door.address).await.unwrap();
    let mut http2 = TcpStream::connect(door.address).await.unwrap();
    http2
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let call = door.get("/v1/venues/wait");
    let stop = async {
        door.services.entered.notified().await;
        door.shutdown.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Probes still answer, and say that the instance goes away.
        let ready = door.operator("GET", "/readyz", None).await;
        assert!(
            ready.status == 503 && ready.json()["draining"] == true,
            "{ready:?}"
        );
        assert!(
            TcpStream::connect(door.address).await.is_err(),
            "new connections are still taken"
        );
        door.services.go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(call, stop);
    assert_eq!(answer.status, 200);
    let ended = door.ended.take().unwrap();
    timeout(Duration::from_secs(8), ended)
        .await
        .expect("the drain ends")
        .unwrap();
    drop((idle, silent, http2));
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_end() {
    let mut door = Running::with(|config| config.limits.drain = Duration::from_millis(300)).await;
    // A body that never ends holds its connection.
    let mut stuck = TcpStream::connect(door.address).await.unwrap();
    stuck
        .write_all(b"POST /v1/seating-plans HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        .await
        .unwrap();
    let token = door.token(&[mesh::identity::Role::Seller]);
    let mut slow = TcpStream::connect(door.address).await.unwrap();
    let head = format!(
        "POST /v1/seating-plans HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 10\r\n\r\nx"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let watch = Stopwatch::start();
    door.shutdown.cancel();
    let ended = door.ended.take().unwrap();
    timeout(PATIENCE, ended)
        .await
        .expect("the drain ends")
        .unwrap();
    assert!(
        watch.elapsed() < Duration::from_secs(3),
        "{:?}",
        watch.elapsed()
    );
    rest(&mut slow).await;
}
