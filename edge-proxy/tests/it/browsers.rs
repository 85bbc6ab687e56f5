//! What browsers ask for: compressed answers, and leave to call from another page.

use std::io::Read;

use crate::door::{Answer, Running, send};

async fn encoded(door: &Running, target: &str, accept: &str) -> Answer {
    send(
        door.request("GET", target)
            .header("accept-encoding", accept),
    )
    .await
}

#[tokio::test]
async fn large_answers_are_compressed_as_the_caller_accepts() {
    let door = Running::start().await;
    let long = format!("/v1/venues/{}", "x".repeat(5000));
    let plain = door.get(&long).await;
    assert_eq!(plain.header("content-encoding"), "");
    let gzip = encoded(&door, &long, "gzip").await;
    assert_eq!(
        (gzip.header("content-encoding"), gzip.header("vary")),
        ("gzip", "accept-encoding")
    );
    assert!(gzip.bytes.len() < plain.bytes.len() / 4);
    // Compressed to its end before it leaves.
    assert_eq!(gzip.header("content-length"), gzip.bytes.len().to_string());
    // Who refuses plain answers gets them all the same: what was done is not told as 406.
    let picky = encoded(&door, "/v1/venues/x", "br, *;q=0").await;
    assert_eq!((picky.status, picky.header("content-encoding")), (200, ""));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(gzip.bytes.as_slice())
        .read_to_end(&mut text)
        .unwrap();
    assert_eq!(text, plain.bytes);
    assert_eq!(
        encoded(&door, &long, "zstd")
            .await
            .header("content-encoding"),
        "zstd"
    );
    assert_eq!(
        encoded(&door, "/v1/venues/x", "gzip")
            .await
            .header("content-encoding"),
        ""
    );
}

#[tokio::test]
async fn pages_of_listed_origins_may_call() {
    let origins = "https://a.example,http://localhost:3000";
    let door = Running::with(|config| config.cors_origins = Some(origins.parse().unwrap())).await;
    let from = |method: &str, origin: &str| {
        let request = door
            .request(method, "/v1/venues/none")
            .header("origin", origin);
        request.header("access-control-request-method", "GET")
    };
    let asked = send(from("OPTIONS", "https://a.example")).await;
    assert_eq!(asked.status, 200);
    assert_eq!(
        asked.header("access-control-allow-origin"),
        "https://a.example"
    );
    assert!(
        asked
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    assert_eq!(asked.header("access-control-allow-credentials"), "");
    // A refusal is readable, too.
    let refused = send(from("GET", "http://localhost:3000")).await;
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert!(
        refused
            .header("access-control-expose-headers")
            .contains("retry-after")
    );
    assert_eq!(refused.status, 404);
    for method in ["OPTIONS", "GET"] {
        let stranger = send(from(method, "https://b.example")).await;
        assert_eq!(
            stranger.header("access-control-allow-origin"),
            "",
            "{method}"
        );
    }
    let closed = Running::start().await;
    let request = closed
        .request("OPTIONS", "/v1/venues/x")
        .header("origin", "https://a.example");
    assert_eq!(
        send(request).await.refusal(),
        (405, "METHOD_NOT_ALLOWED".to_owned())
    );
}
