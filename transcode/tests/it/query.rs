//! Query parameters.

use serde_json::json as j;
use transcode::{Failure, Request};

use crate::fixture::{call, json, json_body, violations};

fn list(query: &str) -> Result<prost_reflect::DynamicMessage, Failure> {
    call("GET", &format!("/v1/things?{query}"), Request::default())
}

fn read(query: &str) -> serde_json::Value {
    json(&list(query).unwrap())
}

#[test]
fn every_type_is_read() {
    let cases = [
        (
            "name=a+b%2Bc&&flag=true",
            j!({"name": "a b+c", "flag": true}),
        ),
        (
            "small=-5&big=-9223372036854775808",
            j!({"small": -5, "big": "-9223372036854775808"}),
        ),
        (
            "count=4294967295&huge=18446744073709551615",
            j!({"count": 4_294_967_295_u32, "huge": "18446744073709551615"}),
        ),
        ("ratio=1e3&thin=-0.5", j!({"ratio": 1000.0, "thin": -0.5})),
        ("ratio=NaN", j!({"ratio": "NaN"})),
        ("blob=AQID", j!({"blob": "AQID"})),
        ("blob=_-8", j!({"blob": "/+8="})),
        (
            "color=COLOR_RED&colors=2&colors=COLOR_RED",
            j!({"color": "COLOR_RED", "colors": ["COLOR_BLUE", "COLOR_RED"]}),
        ),
        (
            "tags=a&name=x&tags=b&tags=",
            j!({"tags": ["a", "b", ""], "name": "x"}),
        ),
        (
            "inner.name=a&inner.inner.amount=7",
            j!({"inner": {"name": "a", "inner": {"amount": "7"}}}),
        ),
        (
            "start_time=2026-01-31T09:00:00Z",
            j!({"startTime": "2026-01-31T09:00:00Z"}),
        ),
        (
            "startTime=2026-01-31T09:00:00%2B09:00",
            j!({"startTime": "2026-01-31T00:00:00Z"}),
        ),
        (
            "ttl=1.5s&mask=name,inner.amount",
            j!({"ttl": "1.500s", "mask": "name,inner.amount"}),
        ),
        (
            "maybe_big=5&maybeText=x&maybe_flag=false",
            j!({"maybeBig": "5", "maybeText": "x", "maybeFlag": false}),
        ),
        (
            "times=2026-01-31T09:00:00Z&times=2026-02-01T09:00:00Z",
            j!({"times": ["2026-01-31T09:00:00Z", "2026-02-01T09:00:00Z"]}),
        ),
        ("chosen=0", j!({"chosen": 0})),
        (
            "by_inner.name=a&by_inner.amount=2",
            j!({"byInner": {"name": "a", "amount": "2"}}),
        ),
        ("name", j!({})),
    ];
    for (query, wanted) in cases {
        assert_eq!(read(query), wanted, "{query}");
    }
}

#[test]
fn every_violation_is_listed_with_its_remedy() {
    let found = violations(list(
        "pagesize=1&small=x&big=1.5&count=-1&flag=yes&ratio=abc&thin=1e60&blob=%21&color=RED&start_time=now&ttl=5&name=a&name=b\
         &inner=x&extra=x&counts=1&inners.name=x&start_time.seconds=1&by_name=a&by_inner.name=b&bad%=1&small=%2B1&inner.zzz=1",
    ));
    let thing = "request_id, thing_id, name, small, big, count, huge, ratio, thin, flag, blob, color, tags, colors, numbers, counts, \
                 by_number, inner, inners, start_time, ttl, mask, maybe_big, maybe_text, ...";
    let wanted = [
        &format!("pagesize: is not a query parameter: unknown; Thing has {thing}"),
        "small: must be a whole number from -2147483648 to 2147483647, is \"x\"",
        "big: must be a whole number from -9223372036854775808 to 9223372036854775807, is \"1.5\"",
        "count: must be a whole number from 0 to 4294967295, is \"-1\"",
        "flag: must be true or false, is \"yes\"",
        "ratio: must be a number, is \"abc\"",
        "thin: must be a number, is \"1e60\"",
        "blob: must be base64, is \"!\"",
        "color: must be one of COLOR_UNSPECIFIED, COLOR_RED, COLOR_BLUE, is \"RED\"",
        "start_time: must be an RFC 3339 time such as \"2026-01-31T09:00:00Z\", is \"now\"",
        "ttl: must be seconds with an s, such as \"1.5s\", is \"5\"",
        "name: is given twice",
        "inner: is a message, which no query parameter can hold; set its fields one by one",
        "extra: is a message, which no query parameter can hold; set its fields one by one",
        "counts: is a map, which no query parameter can hold",
        "inners.name: is not a query parameter: inners is not one message, so it has no parts",
        "start_time.seconds: is not a query parameter: start_time is an RFC 3339 time such as \"2026-01-31T09:00:00Z\", which has no parts",
        "by_inner.name: excludes by_name, which is also set; send one of them",
        "bad%: is not percent-encoded UTF-8",
        "small: is given twice",
        "inner.zzz: is not a query parameter: unknown; Inner has name, amount, inner",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn the_query_never_reaches_what_path_or_body_hold() {
    let get = call("GET", "/v1/things/7?thing_id=8", Request::default());
    assert_eq!(
        violations(get),
        ["thing_id: is taken from the path, not from the query"]
    );
    let create = call("POST", "/v1/things?name=x", json_body("{}"));
    assert_eq!(
        violations(create),
        ["name: is not a query parameter: this method takes every field from the body"]
    );
    let update = call("PATCH", "/v1/things/7?inner.name=x", json_body("{}"));
    assert_eq!(
        violations(update),
        ["inner.name: is the body, not a query parameter"]
    );
    // What body and path leave is for the query, a sibling of a path variable included.
    let update = call(
        "PATCH",
        "/v1/things/7?name=x",
        json_body("{\"name\":\"y\"}"),
    )
    .unwrap();
    assert_eq!(
        json(&update),
        j!({"thingId": "7", "name": "x", "inner": {"name": "y"}})
    );
    let get = call("GET", "/v1/inner/x?inner.amount=3", Request::default()).unwrap();
    assert_eq!(json(&get), j!({"inner": {"name": "x", "amount": "3"}}));
}

#[test]
fn lists_and_depths_are_bounded() {
    let many = vec!["tags=a"; 257].join("&");
    assert_eq!(
        violations(list(&many)),
        ["query: has more than 256 parameters"]
    );
    assert!(list(&vec!["tags=a"; 256].join("&")).is_ok());
    let deep = format!("{}name=x", "inner.".repeat(16));
    assert!(violations(list(&deep))[0].ends_with("deeper than 16 fields"));
    assert!(list(&format!("{}name=x", "inner.".repeat(15))).is_ok());
    let long = "x".repeat(5000);
    let found = violations(list(&format!("{long}={long}&small={long}")));
    assert!(found.iter().all(|line| line.len() < 600), "{found:?}");
    let wrong = (0..256)
        .map(|at| format!("x{at}=1"))
        .collect::<Vec<_>>()
        .join("&");
    let failure = list(&wrong).unwrap_err();
    assert_eq!(failure.violations().len(), transcode::MAX_VIOLATIONS);
    assert!(
        failure.message().ends_with("(and 255 more)"),
        "{}",
        failure.message()
    );
}
