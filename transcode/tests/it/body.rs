//! Bodies and the header `Idempotency-Key`.

use bytes::Bytes;
use serde_json::json as j;
use transcode::Request;

use crate::fixture::{call, json, json_body, post, violations};

const INT32: &str = "must be a whole number from -2147483648 to 2147483647";

#[test]
fn every_type_is_read() {
    let body = j!({
        "name": "a", "small": 1e3, "big": "5", "count": "7", "huge": 18_446_744_073_709_551_615_u64, "ratio": 2, "thin": "-Infinity",
        "flag": true, "blob": "_-8", "color": 2, "tags": ["x"], "colors": ["COLOR_RED", 7], "counts": {"a": 1},
        "byNumber": {"-3": {"amount": 4}}, "inner": {"inner": {"name": "deep"}}, "inners": [{}, {"name": "b"}],
        "startTime": "2026-01-31T09:00:00+09:00", "ttl": "3s", "mask": "a,bC", "maybe_big": 9, "maybeText": "t", "maybeFlag": null,
        "extra": {"k": [1, null]}, "anyJson": null, "chosen": 0, "byName": "x", "nothing": {}, "nullValue": null,
        "packed": {"@type": "type.googleapis.com/test.v1.Inner", "name": "in any"}
    });
    let message = post("/v1/things", &body.to_string()).unwrap();
    let wanted = j!({
        "name": "a", "small": 1000, "big": "5", "count": 7, "huge": "18446744073709551615", "ratio": 2.0, "thin": "-Infinity",
        "flag": true, "blob": "/+8=", "color": "COLOR_BLUE", "tags": ["x"], "colors": ["COLOR_RED", 7], "counts": {"a": 1},
        "byNumber": {"-3": {"amount": "4"}}, "inner": {"inner": {"name": "deep"}}, "inners": [{}, {"name": "b"}],
        "startTime": "2026-01-31T00:00:00Z", "ttl": "3s", "mask": "a,bC", "maybeBig": "9", "maybeText": "t",
        "extra": {"k": [1.0, null]}, "anyJson": null, "chosen": 0, "byName": "x", "nothing": {},
        "packed": {"@type": "type.googleapis.com/test.v1.Inner", "name": "in any"}
    });
    assert_eq!(json(&message), wanted);
}

#[test]
fn every_violation_is_listed_with_its_path() {
    let body = j!({
        "nam": 1, "name": 7, "small": 2_147_483_648_u32, "huge": 18_446_744_073_709_551_616.0_f64, "count": 1.5, "flag": "true", "blob": 1,
        "color": "RED", "tags": "x", "colors": ["COLOR_RED", "NO"], "counts": {"a": "b"}, "byNumber": {"x": {}, "1": {"amount": []}},
        "inner": {"inner": {"nam": 1}}, "inners": [{}, null, 5], "startTime": "2026-02-30", "maybeBig": "x", "extra": [],
        "byName": "x", "byInner": {}, "packed": {"@type": "type.googleapis.com/no.Such"}, "maybeFlag": 1
    });
    let found = violations(post("/v1/things", &body.to_string()));
    let inner = "unknown; Inner has name, amount, inner";
    let wanted = [
        "blob: must be base64, is 1".to_owned(),
        "by_name: excludes by_inner, which is also set; send one of them".to_owned(),
        "by_number[1].amount: must be a whole number from -9223372036854775808 to 9223372036854775807, is an array".to_owned(),
        format!("by_number[x]: the key {INT32}, is \"x\""),
        "color: must be one of COLOR_UNSPECIFIED, COLOR_RED, COLOR_BLUE, is \"RED\"".to_owned(),
        "colors[1]: must be one of COLOR_UNSPECIFIED, COLOR_RED, COLOR_BLUE, is \"NO\"".to_owned(),
        "count: must be a whole number from 0 to 4294967295, is 1.5".to_owned(),
        format!("counts[a]: {INT32}, is \"b\""),
        "extra: must be an object, is an array".to_owned(),
        "flag: must be true or false, is \"true\"".to_owned(),
        "huge: must be a whole number from 0 to 18446744073709551615, is 1.8446744073709552e+19".to_owned(),
        format!("inner.inner.nam: {inner}"),
        "inners[1]: must be an object, is null".to_owned(),
        "inners[2]: must be an object, is 5".to_owned(),
        "maybe_big: must be a whole number from -9223372036854775808 to 9223372036854775807, is \"x\"".to_owned(),
        "maybe_flag: must be true or false, is 1".to_owned(),
        "name: must be a string, is 7".to_owned(),
    ];
    let mut rest: Vec<_> = found
        .iter()
        .filter(|line| !wanted.contains(line))
        .map(String::as_str)
        .collect();
    assert_eq!(found.len(), wanted.len() + rest.len(), "{found:#?}");
    rest.sort_unstable();
    assert!(
        rest[0].starts_with("nam: unknown; Thing has request_id, thing_id, name"),
        "{rest:#?}"
    );
    assert_eq!(
        rest[1],
        "packed: must be an object with a known \"@type\": message 'no.Such' not found"
    );
    assert_eq!(rest[2], format!("small: {INT32}, is 2147483648"));
    assert_eq!(
        rest[3],
        "start_time: must be an RFC 3339 time such as \"2026-01-31T09:00:00Z\", is \"2026-02-30\""
    );
    assert_eq!(rest[4], "tags: must be an array, is \"x\"");
    assert_eq!(rest.len(), 5);
}

#[test]
fn a_body_with_two_meanings_is_refused() {
    let cases = [
        ("[]", "body: must be an object, is an array"),
        ("\"x\"", "body: must be an object, is \"x\""),
        ("null", "body: must be an object, is null"),
        (
            "{\"maybeBig\":1,\"maybe_big\":2}",
            "maybe_big: stands twice, by its two names",
        ),
        (
            "{\"byNumber\":{\"1\":{},\"01\":{}}}",
            "by_number[1]: stands twice, in two spellings",
        ),
        (
            "{\"a\":1} x",
            "body: is not JSON as this method reads it: trailing characters at line 1 column 9",
        ),
        (
            "{\"name\":\"a\",\"name\":\"b\"}",
            "body: is not JSON as this method reads it: the name \"name\" stands twice at line 1 column 18",
        ),
        (
            "{\"name\":\n tru}",
            "body: is not JSON as this method reads it: expected ident at line 2 column 5",
        ),
    ];
    for (body, wanted) in cases {
        assert_eq!(violations(post("/v1/things", body)), [wanted], "{body}");
    }
    let deep = format!("{}{}", "{\"inner\":".repeat(65), "}".repeat(65));
    assert!(violations(post("/v1/things", &deep))[0].contains("nested deeper than 64"));
}

#[test]
fn body_names_what_the_body_is() {
    let update = call("PATCH", "/v1/things/7", json_body("{\"amount\":3}")).unwrap();
    assert_eq!(
        json(&update),
        j!({"thingId": "7", "inner": {"amount": "3"}})
    );
    let tag = post("/v1/things/7:tag", "[\"a\",\"b\"]").unwrap();
    assert_eq!(json(&tag), j!({"thingId": "7", "tags": ["a", "b"]}));
    assert_eq!(
        violations(post("/v1/things/7:tag", "[\"a\",2]")),
        ["tags[1]: must be a string, is 2"]
    );
    let get = call("GET", "/v1/things/7", json_body("{}"));
    assert_eq!(
        violations(get),
        ["body: is not taken by this method; send path and query alone"]
    );
    // Path over body.
    let replace = call(
        "PUT",
        "/v1/things/7",
        json_body("{\"thingId\":\"8\",\"name\":\"n\"}"),
    )
    .unwrap();
    assert_eq!(json(&replace), j!({"thingId": "7", "name": "n"}));
    // No body is the empty object, and needs no content type.
    let empty = call("PUT", "/v1/things/7", Request::default()).unwrap();
    assert_eq!(json(&empty), j!({"thingId": "7"}));
}

#[test]
fn path_and_body_mistakes_come_together() {
    let found = violations(call("PUT", "/v1/things/%zz", json_body("{\"small\":[]}")));
    assert_eq!(
        found,
        [
            format!("small: {INT32}, is an array"),
            "thing_id: is not percent-encoded UTF-8".to_owned()
        ]
    );
}

#[test]
fn only_json_is_json() {
    let send = |content_type| {
        let body = Bytes::from_static(b"{}");
        call(
            "POST",
            "/v1/things",
            Request {
                content_type,
                body,
                ..Request::default()
            },
        )
    };
    for good in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/merge-patch+json",
        "application/json;charset=\"utf-8\"",
    ] {
        assert!(send(Some(good)).is_ok(), "{good}");
    }
    for bad in [
        None,
        Some("text/plain"),
        Some("application/jsonx"),
        Some("application/json; charset=latin1"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let failure = send(bad).unwrap_err();
        assert_eq!(
            (failure.reason(), failure.http_status().as_u16()),
            ("UNSUPPORTED_MEDIA_TYPE", 415),
            "{bad:?}"
        );
    }
}

#[test]
fn raw_bodies_pass_as_they_are() {
    let body = Bytes::from_static(b"\x00\xffnot json");
    let request = Request {
        content_type: Some("image/png"),
        body: body.clone(),
        ..Request::default()
    };
    let upload = call("POST", "/v1/files/a%20b?request_id=r", request.clone()).unwrap();
    assert_eq!(
        json(&upload),
        j!({"name": "a b", "requestId": "r", "file": {"contentType": "image/png", "data": "AP9ub3QganNvbg=="}})
    );
    let echo = call("POST", "/v1/echo", request).unwrap();
    assert_eq!(
        json(&echo),
        j!({"contentType": "image/png", "data": "AP9ub3QganNvbg=="})
    );
    let untyped = call(
        "POST",
        "/v1/echo",
        Request {
            body,
            ..Request::default()
        },
    )
    .unwrap();
    assert_eq!(json(&untyped)["contentType"], "application/octet-stream");
}

#[test]
fn idempotency_key_fills_an_empty_request_id() {
    let key = |key, body| {
        call(
            "POST",
            "/v1/things",
            Request {
                idempotency_key: Some(key),
                ..json_body(body)
            },
        )
    };
    assert_eq!(json(&key("k-1", "{}").unwrap()), j!({"requestId": "k-1"}));
    assert_eq!(
        json(&key("\"k-1\"", "{\"requestId\":\"\"}").unwrap()),
        j!({"requestId": "k-1"})
    );
    assert_eq!(
        json(&key("k-1", "{\"requestId\":\"own\"}").unwrap()),
        j!({"requestId": "own"})
    );
    assert!(violations(key(&"k".repeat(256), "{}"))[0].contains("longer than 255 bytes"));
    // Where there is no such field the header means nothing.
    let get = Request {
        idempotency_key: Some("k-1"),
        ..Request::default()
    };
    assert_eq!(
        json(&call("GET", "/v1/trees/x", get).unwrap()),
        j!({"name": "trees/x"})
    );
}
