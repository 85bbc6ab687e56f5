//! Responses.

use bytes::Bytes;
use http::Response;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json as j};

use crate::fixture::{POOL, ROUTER};

fn respond(method: &str, path: &str, message: &str, fields: &Json) -> Response<Bytes> {
    let descriptor = POOL.get_message_by_name(message).unwrap();
    let message = DynamicMessage::deserialize(descriptor, fields).unwrap();
    ROUTER
        .find(method, path)
        .unwrap()
        .route
        .response(&message.encode_to_vec())
        .unwrap()
}

fn body(response: &Response<Bytes>) -> Json {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn defaults_are_written_and_absence_stays_absent() {
    let response = respond(
        "GET",
        "/v1/things/7",
        "test.v1.Thing",
        &j!({"big": "5", "inner": {}, "color": 9}),
    );
    let wanted = j!({
        "requestId": "", "thingId": "", "name": "", "small": 0, "big": "5", "count": 0, "huge": "0", "ratio": 0.0, "thin": 0.0,
        "flag": false, "blob": "", "color": 9, "tags": [], "colors": [], "numbers": [], "counts": {}, "byNumber": {},
        "inner": {"name": "", "amount": "0"}, "inners": [], "times": [], "nullValue": null
    });
    assert_eq!(body(&response), wanted);
}

#[test]
fn response_body_picks_a_field() {
    let thing = j!({"tags": ["a"], "inner": {"name": "n"}, "name": "hidden"});
    assert_eq!(
        body(&respond("GET", "/v1/things", "test.v1.Thing", &thing)),
        j!(["a"])
    );
    assert_eq!(
        body(&respond("GET", "/v1/things", "test.v1.Thing", &j!({}))),
        j!([])
    );
    assert_eq!(
        body(&respond("PATCH", "/v1/things/7", "test.v1.Thing", &thing)),
        j!({"name": "n", "amount": "0"})
    );
    assert_eq!(
        body(&respond("PATCH", "/v1/things/7", "test.v1.Thing", &j!({}))),
        j!({"name": "", "amount": "0"})
    );
}

#[test]
fn raw_responses_pass_as_they_are() {
    let file = j!({"contentType": "image/svg+xml", "data": "AP8="});
    let cases = [
        respond("POST", "/v1/echo", "google.api.HttpBody", &file),
        respond(
            "POST",
            "/v1/files/x",
            "test.v1.Download",
            &j!({"note": "n", "file": file}),
        ),
    ];
    for response in cases {
        assert_eq!(response.headers()["content-type"], "image/svg+xml");
        assert_eq!(response.body().as_ref(), b"\x00\xff");
    }
    let empty = respond("POST", "/v1/files/x", "test.v1.Download", &j!({}));
    assert_eq!(
        (
            empty.headers()["content-type"].as_bytes(),
            empty.body().len()
        ),
        (&b"application/octet-stream"[..], 0)
    );
}

#[test]
fn what_has_no_json_form_is_an_error_of_the_service() {
    let route = ROUTER.find("GET", "/v1/things/7").unwrap().route;
    // A cut message; a timestamp beyond the year 9999 (field 20, seconds 2^60).
    let far = [
        &[0xa2, 0x01, 0x0a, 0x08][..],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
    ]
    .concat();
    for bytes in [&[0x0a, 0x05, b'a'][..], &far] {
        let failure = route.response(bytes).unwrap_err();
        assert_eq!(
            (failure.reason(), failure.http_status().as_u16()),
            ("UPSTREAM_MESSAGE_INVALID", 500)
        );
    }
}
