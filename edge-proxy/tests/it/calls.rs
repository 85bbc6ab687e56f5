//! Requests that reach the service, and what comes back.

use std::time::Duration;

use mesh::identity::Role;
use serde_json::json as j;
use tokio::net::TcpStream;

use crate::door::{Running, send};

#[tokio::test]
async fn path_query_and_body_reach_the_service() {
    let door = Running::start().await;
    let venue = door.get("/v1/venues/a%2Fb").await;
    assert_eq!(
        (venue.status, &venue.json()["venue"]["venueId"]),
        (200, &j!("a/b"))
    );
    // Defaults are written, unset messages are not.
    assert_eq!(venue.json()["venue"]["city"], "");
    assert!(venue.json()["venue"].get("createTime").is_none());
    let list = door
        .get("/v1/venues?city=Seoul&page_size=3&pageToken=t")
        .await
        .json();
    assert_eq!(
        (&list["venues"][0]["city"], &list["nextPageToken"]),
        (&j!("Seoul"), &j!("3/t"))
    );
    let created = door
        .post(
            "/v1/venues",
            r#"{"request_id":"r-1","name":"세종","city":"Seoul"}"#,
        )
        .await;
    assert_eq!(
        (created.status, &created.json()["venue"]["name"]),
        (200, &j!("세종"))
    );
}

#[tokio::test]
async fn the_idempotency_key_becomes_the_request_id() {
    let door = Running::start().await;
    let request = door
        .request("POST", "/v1/shows/s-1:publish")
        .bearer_auth(door.token(&[Role::Seller]));
    let published = send(request.header("idempotency-key", "key-1"))
        .await
        .json();
    assert_eq!(
        (&published["show"]["showId"], &published["show"]["title"]),
        (&j!("s-1"), &j!("key-1"))
    );
}

#[tokio::test]
async fn raw_bodies_go_in_and_out() {
    let door = Running::start().await;
    let plan = vec![0xff_u8; 3 * 1024 * 1024];
    let request = door
        .request("POST", "/v1/seating-plans")
        .bearer_auth(door.token(&[Role::Seller]));
    let request = request
        .header("content-type", "application/x-plan")
        .header("idempotency-key", "k");
    let imported = send(request.body(plan)).await;
    assert_eq!(
        imported.json()["planId"],
        format!("k application/x-plan {}", 3 * 1024 * 1024)
    );

    let token = door.token(&[Role::User]);
    let image = send(
        door.request("GET", "/v1/tickets/t-1/qr?module_pixels=4")
            .bearer_auth(token),
    )
    .await;
    assert_eq!(
        (image.status, image.header("content-type")),
        (200, "image/svg+xml")
    );
    assert_eq!(
        (
            image.bytes.as_slice(),
            image.header("x-content-type-options")
        ),
        (&b"<svg>4</svg>"[..], "nosniff")
    );
}

#[tokio::test]
async fn errors_of_the_service_come_as_typed_json() {
    let door = Running::start().await;
    let none = door.get("/v1/venues/none").await;
    assert_eq!(none.status, 404);
    let info = j!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "VENUE_NOT_FOUND", "domain": "usher", "metadata": {"venue_id": "none"}});
    assert_eq!(
        none.json(),
        j!({"error": {"code": 5, "status": "NOT_FOUND", "message": "no such venue", "details": [info]}})
    );
    let busy = door.get("/v1/venues/busy").await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, "3"));
    assert!(
        !String::from_utf8_lossy(&busy.bytes).contains("secret"),
        "{busy:?}"
    );
    assert_eq!(busy.json()["error"]["details"][0]["retryDelay"], "2.500s");
}

#[tokio::test]
async fn what_the_contracts_do_not_know_is_refused_by_name() {
    let door = Running::start().await;
    assert_eq!(
        door.get("/v1/nothing").await.refusal(),
        (404, "ROUTE_NOT_FOUND".to_owned())
    );
    assert_eq!(
        door.get("/").await.refusal(),
        (404, "ROUTE_NOT_FOUND".to_owned())
    );
    let wrong = send(door.request("DELETE", "/v1/venues")).await;
    assert_eq!(
        (wrong.refusal(), wrong.header("allow")),
        ((405, "METHOD_NOT_ALLOWED".to_owned()), "GET, POST")
    );
    let unknown = door.get("/v1/venues?town=Seoul").await.violations();
    assert!(
        unknown[0]
            .starts_with("town: is not a query parameter: unknown; ListVenuesRequest has city"),
        "{unknown:?}"
    );
    let unknown = door
        .post("/v1/venues", r#"{"nam":"x","city":5}"#)
        .await
        .violations();
    assert_eq!(unknown[0], "city: must be a string, is 5");
    assert!(
        unknown[1].starts_with("nam: unknown; CreateVenueRequest has request_id, name"),
        "{unknown:?}"
    );
    assert_eq!(door.services.calls(), 0);
}

#[tokio::test]
async fn the_service_gets_the_shorter_of_two_deadlines() {
    let door = Running::start().await;
    let timeout = |door: &Running| {
        door.services
            .last()
            .get("grpc-timeout")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    door.get("/v1/venues/x").await;
    // The policy's own: one second.
    assert_eq!(micros(&timeout(&door)), 1_000_000);
    send(
        door.request("GET", "/v1/venues/x")
            .header("x-request-timeout", "0.5"),
    )
    .await;
    assert_eq!(micros(&timeout(&door)), 500_000);
    send(
        door.request("GET", "/v1/venues/x")
            .header("grpc-timeout", "1H"),
    )
    .await;
    assert_eq!(micros(&timeout(&door)), 1_000_000);
    let late = send(
        door.request("GET", "/v1/venues/never")
            .header("x-request-timeout", "100ms"),
    )
    .await;
    assert_eq!(late.refusal(), (504, "DEADLINE_PASSED".to_owned()));
    let wrong = send(
        door.request("GET", "/v1/venues/x")
            .header("x-request-timeout", "soon"),
    )
    .await;
    assert_eq!(wrong.refusal(), (400, "INVALID_REQUEST".to_owned()));
}

/// A grpc-timeout in microseconds.
fn micros(text: &str) -> u64 {
    let (digits, unit) = text.split_at(text.len() - 1);
    let scale = match unit {
        "S" => 1_000_000,
        "m" => 1_000,
        "u" => 1,
        "n" => return digits.parse::<u64>().unwrap() / 1_000,
        other => panic!("{other}"),
    };
    digits.parse::<u64>().unwrap() * scale
}

#[tokio::test]
async fn a_service_that_is_gone_is_503_without_its_address() {
    let door = Running::with(|config| {
        config.routes = "usher.booking.v1=http://127.0.0.1:1".parse().unwrap()
    })
    .await;
    let gone = door.get("/v1/venues/x").await;
    assert_eq!(gone.refusal(), (503, "DEPENDENCY_DOWN".to_owned()));
    assert_eq!(gone.header("retry-after"), "1");
    assert!(
        !String::from_utf8_lossy(&gone.bytes).contains("127.0.0.1"),
        "{gone:?}"
    );
}

#[tokio::test]
async fn waiting_for_a_connection_counts_as_time_of_the_call() {
    // A full backlog: further connects neither succeed nor fail.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut taken = Vec::new();
    let patience = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        taken.push(stream.unwrap());
    }
    let routes = format!("usher.booking.v1=http://{address}");
    let door = Running::with(|config| config.routes = routes.parse().unwrap()).await;
    let late = send(
        door.request("GET", "/v1/venues/x")
            .header("x-request-timeout", "200ms"),
    )
    .await;
    assert_eq!(late.refusal(), (504, "DEADLINE_PASSED".to_owned()));
}

#[tokio::test]
async fn an_answer_beyond_all_bounds_is_our_fault() {
    let door = Running::start().await;
    let large = door.get("/v1/venues/large").await;
    assert_eq!(large.refusal(), (500, "INTERNAL".to_owned()));
    assert!(
        !String::from_utf8_lossy(&large.bytes).contains("length"),
        "{large:?}"
    );
}

#[tokio::test]
async fn a_request_keeps_its_id_and_its_trace() {
    let door = Running::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = door
        .request("GET", "/v1/venues/x")
        .header("x-request-id", "mine-1")
        .header("traceparent", trace);
    assert_eq!(send(request).await.header("x-request-id"), "mine-1");
    let seen = door.services.last();
    assert_eq!(seen.get("x-request-id").unwrap(), "mine-1");
    let child = seen.get("traceparent").unwrap().to_str().unwrap();
    assert!(
        child.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && child != trace,
        "{child}"
    );
    // Not a plain id: replaced, in errors too.
    let replaced = send(
        door.request("GET", "/v1/nothing")
            .header("x-request-id", "a b"),
    )
    .await;
    assert_eq!(replaced.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn http2_is_spoken_on_the_same_port() {
    let door = Running::start().await;
    let stream = TcpStream::connect(door.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io)
            .await
            .unwrap();
    door.behind.spawn("http2 client", connection);
    let request = http::Request::get(format!("http://{}/v1/venues/x", door.address));
    let request = request
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = tokio::time::timeout(Duration::from_secs(5), sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, http::Version::HTTP_2)
    );
}
