//! Bodies that are refused.

use std::time::Duration;

use mesh::identity::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::door::{Running, send};

const MIB: usize = 1024 * 1024;

/// Sends raw bytes and reads until the server closes, at most five seconds.
async fn raw(door: &Running, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    for piece in pieces {
        // The server may close while we still write; what it said is what counts.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let door = Running::start().await;
    let token = door.token(&[Role::Seller]);
    let head = format!(
        "POST /v1/venues HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        64 * MIB
    );
    // Not one byte of the body is sent, and the answer comes.
    let answer = raw(&door, &[head.as_bytes()]).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("BODY_TOO_LARGE"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_of_unknown_length_is_refused_while_it_is_read() {
    let door = Running::start().await;
    let token = door.token(&[Role::Seller]);
    let head = format!(
        "POST /v1/venues HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    // One byte more than a MiB; the end of the body never comes.
    let mut pieces = vec![head.as_bytes()];
    pieces.extend(std::iter::repeat_n(chunk.as_slice(), 16));
    pieces.push(b"1\r\n \r\n");
    let answer = raw(&door, &pieces).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("BODY_TOO_LARGE"),
        "{answer}"
    );
    assert_eq!(door.services.calls(), 0);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let door = Running::start().await;
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(MIB - 11));
    assert_eq!(body.len(), MIB);
    assert_eq!(door.post("/v1/venues", &body).await.status, 200);
}

#[tokio::test]
async fn what_is_not_json_is_told_with_its_place() {
    let door = Running::start().await;
    let violations = door.post("/v1/venues", "{\"name\":\n }").await.violations();
    assert_eq!(
        violations,
        ["body: is not JSON as this method reads it: expected value at line 2 column 2"]
    );
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(door.post("/v1/venues", &deep).await.violations()[0].contains("nested deeper than 64"));
    let twice = door
        .post("/v1/venues", "{\"name\":\"a\",\"name\":\"b\"}")
        .await
        .violations();
    assert!(twice[0].contains("stands twice"), "{twice:?}");
}

#[tokio::test]
async fn only_json_and_only_plain_is_read() {
    let door = Running::start().await;
    let post = |headers: &[(&'static str, &'static str)]| {
        let request = door
            .request("POST", "/v1/venues")
            .bearer_auth(door.token(&[Role::Seller]));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        send(request.body("{}"))
    };
    let json = ("content-type", "application/json");
    let refused = (415, "UNSUPPORTED_MEDIA_TYPE".to_owned());
    assert_eq!(
        post(&[("content-type", "text/plain")]).await.refusal(),
        refused
    );
    assert_eq!(post(&[]).await.refusal(), refused);
    assert_eq!(
        post(&[json, ("content-encoding", "gzip")]).await.refusal(),
        refused
    );
    assert_eq!(
        post(&[json, ("content-encoding", "identity")]).await.status,
        200
    );
    // Two keys could be read as one here and as another behind.
    let twice = post(&[json, ("idempotency-key", "a"), ("idempotency-key", "b")]).await;
    assert_eq!(twice.refusal(), (400, "INVALID_REQUEST".to_owned()));
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let door = Running::with(|config| config.limits.body = Duration::from_millis(300)).await;
    let token = door.token(&[Role::Seller]);
    let head = format!(
        "POST /v1/seating-plans HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 1000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let drip = async {
        while to.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        () = drip => panic!("closed without an answer"),
        read = from.read_exact(&mut answer) => assert_eq!(read.unwrap(), 12),
        () = tokio::time::sleep(Duration::from_secs(5)) => panic!("read for ever"),
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let door = Running::with(|config| config.limits.body_pause = Duration::from_millis(200)).await;
    let token = door.token(&[Role::Seller]);
    let head = format!(
        "POST /v1/venues HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{{"
    );
    let answer = raw(&door, &[head.as_bytes()]).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("BODY_TIMEOUT"),
        "{answer}"
    );
}

#[tokio::test]
async fn bodies_share_a_bounded_memory() {
    let door = Running::with(|config| config.limits.body_bytes = 64 * 1024).await;
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(100_000));
    let refused = door.post("/v1/venues", &body).await;
    assert_eq!(refused.refusal(), (429, "OVERLOADED".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    // What was held is given back.
    for _ in 0..3 {
        let body = format!("{{\"name\":\"{}\"}}", "x".repeat(60_000));
        assert_eq!(door.post("/v1/venues", &body).await.status, 200);
    }
}
