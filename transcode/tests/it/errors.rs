//! Errors as JSON.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json as j};
use transcode::{Code, ErrorWriter, Failure, Request};

use crate::fixture::{POOL, call};

fn writer() -> ErrorWriter {
    ErrorWriter::new(&POOL).unwrap()
}

/// The bytes of `grpc-status-details-bin`.
fn details(details: &Json) -> Vec<u8> {
    let descriptor = POOL.get_message_by_name("google.rpc.Status").unwrap();
    DynamicMessage::deserialize(descriptor, j!({"code": 9, "details": details}))
        .unwrap()
        .encode_to_vec()
}

fn error(response: &Response<Bytes>) -> Json {
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Json = serde_json::from_slice(response.body()).unwrap();
    body["error"].clone()
}

fn kind(name: &str) -> String {
    format!("type.googleapis.com/google.rpc.{name}")
}

#[test]
fn details_of_a_service_come_out_typed_without_debug_info() {
    let shown = j!([
        {"@type": kind("ErrorInfo"), "reason": "UNITS_TAKEN", "domain": "usher", "metadata": {"ord": "7"}},
        {"@type": kind("PreconditionFailure"), "violations": [{"type": "STATE", "subject": "x", "description": "y"}]},
        {"@type": kind("QuotaFailure"), "violations": [{"subject": "s", "description": "d"}]},
        {"@type": kind("RetryInfo"), "retryDelay": "1.001s"},
        {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "3s"},
    ]);
    let mut sent = shown.clone();
    sent.as_array_mut().unwrap().insert(
        1,
        j!({"@type": kind("DebugInfo"), "detail": "stack of the service"}),
    );
    let response = writer().status(9, "taken", &details(&sent));
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(
        error(&response),
        j!({"code": 9, "status": "FAILED_PRECONDITION", "message": "taken", "details": shown})
    );
}

#[test]
fn the_reason_stands_first() {
    let info = j!({"@type": kind("ErrorInfo"), "reason": "R", "domain": "usher"});
    let retry = j!({"@type": kind("RetryInfo"), "retryDelay": "1s"});
    let response = writer().status(8, "m", &details(&j!([retry, info])));
    assert_eq!(error(&response)["details"], j!([info, retry]));
}

#[test]
fn details_outside_the_pool_and_broken_ones_stay_inside() {
    let any = |url: &str, value: &[u8]| prost_types::Any {
        type_url: url.to_owned(),
        value: value.to_vec(),
    };
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(message, repeated, tag = "3")]
        details: Vec<prost_types::Any>,
    }
    let details = vec![
        any("type.googleapis.com/no.Such", b""),
        any(&kind("ErrorInfo"), b"\xff"),
        any("", b""),
    ];
    let response = writer().status(5, "m", &Status { details }.encode_to_vec());
    assert_eq!(error(&response)["details"], j!([]));
    let response = writer().status(5, "m", b"\xff\xff");
    assert_eq!(
        error(&response),
        j!({"code": 5, "status": "NOT_FOUND", "message": "m", "details": []})
    );
}

#[test]
fn every_code_has_its_http_status() {
    let cases = [
        (0, 500),
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 400),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
        (99, 500),
    ];
    for (code, http) in cases {
        assert_eq!(
            writer().status(code, "", b"").status().as_u16(),
            http,
            "{code}"
        );
    }
}

#[test]
fn retry_after_is_rounded_up() {
    let cases = [
        ("0.000000001s", "1"),
        ("1s", "1"),
        ("0s", "0"),
        ("59.5s", "60"),
    ];
    for (delay, seconds) in cases {
        let response = writer().status(
            8,
            "",
            &details(&j!([{"@type": kind("RetryInfo"), "retryDelay": delay}])),
        );
        assert_eq!(response.headers()["retry-after"], seconds, "{delay}");
    }
    let negative = writer().status(
        8,
        "",
        &details(&j!([{"@type": kind("RetryInfo"), "retryDelay": "-1s"}])),
    );
    assert!(negative.headers().get("retry-after").is_none());
    assert!(
        writer()
            .status(8, "", b"")
            .headers()
            .get("retry-after")
            .is_none()
    );
}

#[test]
fn the_doors_own_errors_have_the_same_shape() {
    let refused = call("GET", "/v1/things?zzz=1", Request::default()).unwrap_err();
    let body = error(&writer().failure(&refused));
    assert_eq!(
        (&body["code"], &body["status"]),
        (&j!(3), &j!("INVALID_ARGUMENT"))
    );
    assert_eq!(
        body["details"][0],
        j!({"@type": kind("ErrorInfo"), "reason": "INVALID_REQUEST", "domain": "usher"})
    );
    assert_eq!(body["details"][1]["fieldViolations"][0]["field"], "zzz");

    let cases = [
        (Failure::route_not_found(), 404, "ROUTE_NOT_FOUND"),
        (
            Failure::method_not_allowed(["GET", "POST"]),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (Failure::body_too_large(5), 413, "BODY_TOO_LARGE"),
        (
            Failure::unsupported_media_type("m"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
    ];
    for (failure, http, reason) in cases {
        let response = writer().failure(&failure);
        assert_eq!(response.status().as_u16(), http);
        assert_eq!(error(&response)["details"][0]["reason"], reason);
    }
    let response = writer().failure(&Failure::method_not_allowed(["GET", "POST"]));
    assert_eq!(response.headers()["allow"], "GET, POST");

    let busy = Failure::new(Code::ResourceExhausted, "BUSY", "busy")
        .retry_after(Duration::from_millis(1500))
        .with("k", "v");
    let response = writer().failure(&busy);
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["retry-after"].as_bytes()
        ),
        (429, &b"2"[..])
    );
    assert_eq!(
        error(&response)["details"][1],
        j!({"@type": kind("RetryInfo"), "retryDelay": "1.500s"})
    );
    assert_eq!(error(&response)["details"][0]["metadata"], j!({"k": "v"}));
}
