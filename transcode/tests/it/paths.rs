//! Which route a request line finds, and what its variables hold.

use prost_reflect::DynamicMessage;
use serde_json::json as j;
use transcode::{Miss, Request, Router};

use crate::fixture::{ROUTER, call, compile, json, violations};

fn get(target: &str) -> DynamicMessage {
    call("GET", target, Request::default()).unwrap()
}

/// The pattern of the route.
fn found(method: &str, path: &str) -> Option<&'static str> {
    let route = ROUTER.find(method, path).ok()?.route;
    Some(route.pattern())
}

fn allow(method: &str, path: &str) -> Vec<String> {
    match ROUTER.find(method, path) {
        Err(Miss::WrongMethod { allow }) => allow.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_of_template_is_found() {
    let cases = [
        ("GET", "/v1/things", "/v1/things"),
        ("GET", "/v1/things/7", "/v1/things/{thing_id}"),
        ("POST", "/v1/things/7:tag", "/v1/things/{thing_id}:tag"),
        ("PATCH", "/v1/things/7", "/v1/things/{thing_id}"),
        ("GET", "/v1/inner/x", "/v1/inner/{inner.name}"),
        (
            "GET",
            "/v1/files/a/b/parts/c",
            "/v1/{name=files/**}/parts/{part}",
        ),
        (
            "GET",
            "/v1/files/parts/c",
            "/v1/{name=files/**}/parts/{part}",
        ),
        ("GET", "/v1/trees/a/b", "/v1/{name=trees/**}"),
        ("GET", "/v1/trees", "/v1/{name=trees/**}"),
        ("PURGE", "/v1/purge/x", "/v1/purge/{name}"),
        ("DELETE", "/v1/every/x", "/v1/every/{name}"),
        ("GET", "/v1/thing%73", "/v1/things"),
    ];
    for (method, path, pattern) in cases {
        assert_eq!(found(method, path), Some(pattern), "{method} {path}");
    }
}

#[test]
fn unknown_paths_are_not_found() {
    for path in [
        "/",
        "",
        "*",
        "/v1",
        "/v1/",
        "/v2/things",
        "/v1/things/",
        "/v1/things//",
        "/v1/things/a/b",
        "/v1%2Fthings",
        "v1/things",
    ] {
        assert_eq!(
            ROUTER.find("GET", path).unwrap_err(),
            Miss::UnknownPath,
            "{path}"
        );
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    assert_eq!(allow("DELETE", "/v1/things/7"), ["GET", "PATCH", "PUT"]);
    assert_eq!(allow("PUT", "/v1/things"), ["GET", "POST"]);
    assert_eq!(allow("GET", "/v1/purge/x"), ["PURGE"]);
    // As a verb it takes POST; as a plain id that ends in `:tag` it takes the others.
    assert_eq!(
        allow("DELETE", "/v1/things/7:tag"),
        ["GET", "PATCH", "POST", "PUT"]
    );
    // Methods are case-sensitive.
    assert_eq!(allow("get", "/v1/things/7"), ["GET", "PATCH", "PUT"]);
}

#[test]
fn only_known_verbs_split_the_last_segment() {
    assert_eq!(json(&get("/v1/things/a:b")), j!({"thingId": "a:b"}));
    assert_eq!(json(&get("/v1/things/a:tag")), j!({"thingId": "a:tag"}));
    let tagged = call("POST", "/v1/things/a:b:tag", Request::default()).unwrap();
    assert_eq!(json(&tagged), j!({"thingId": "a:b"}));
    // An encoded colon is data.
    assert_eq!(allow("POST", "/v1/things/a%3Atag"), ["GET", "PATCH", "PUT"]);
}

#[test]
fn variables_are_decoded_by_their_length() {
    assert_eq!(
        json(&get("/v1/things/a%2Fb%20%EC%A2%8C")),
        j!({"thingId": "a/b 좌"})
    );
    assert_eq!(
        json(&get("/v1/files/a%2Fb/c%20d/parts/e%2Ff")),
        j!({"name": "files/a%2Fb/c d", "part": "e/f"})
    );
    assert_eq!(json(&get("/v1/inner/x+y")), j!({"inner": {"name": "x+y"}}));
    assert_eq!(json(&get("/v1/counts/12")), j!({"count": 12}));
}

#[test]
fn variables_that_do_not_fit_are_refused_by_field() {
    let get = |target| violations(call("GET", target, Request::default()));
    assert_eq!(
        get("/v1/things/%zz"),
        ["thing_id: is not percent-encoded UTF-8"]
    );
    assert_eq!(
        get("/v1/things/%FF"),
        ["thing_id: is not percent-encoded UTF-8"]
    );
    assert_eq!(
        get("/v1/counts/-1"),
        ["count: must be a whole number from 0 to 4294967295, is \"-1\""]
    );
}

#[test]
fn the_most_exact_template_wins() {
    let source = r#"syntax = "proto3"; package t.v1; import "google/api/annotations.proto";
        message In { string a = 1; }
        service S {
            rpc Literal(In) returns (In) { option (google.api.http) = { get: "/v1/a/b" }; }
            rpc Leftmost(In) returns (In) { option (google.api.http) = { get: "/v1/a/*" }; }
            rpc Second(In) returns (In) { option (google.api.http) = { get: "/v1/*/b" }; }
            rpc Stars(In) returns (In) { option (google.api.http) = { get: "/v1/*/*" }; }
            rpc Rest(In) returns (In) { option (google.api.http) = { get: "/v1/**" }; }
            rpc Tail(In) returns (In) { option (google.api.http) = { get: "/v1/**/z" }; }
            rpc Verb(In) returns (In) { option (google.api.http) = { get: "/v1/**:go" }; }
            rpc Post(In) returns (In) { option (google.api.http) = { post: "/v1/a/b" }; }
            rpc Delete(In) returns (In) { option (google.api.http) = { delete: "/v1/**" }; }
        }"#;
    let router = Router::build(&compile(source).unwrap(), |_| true).unwrap();
    let cases = [
        ("GET", "/v1/a/b", "Literal"),
        ("GET", "/v1/a/c", "Leftmost"),
        ("GET", "/v1/c/b", "Second"),
        ("GET", "/v1/c/c", "Stars"),
        ("GET", "/v1/c", "Rest"),
        ("GET", "/v1/c/d/z", "Tail"),
        ("GET", "/v1/c/z", "Stars"),
        ("GET", "/v1/a/b:go", "Verb"),
        ("POST", "/v1/a/b", "Post"),
        // The exact template lacks the method, the wide one has it.
        ("DELETE", "/v1/a/b", "Delete"),
    ];
    for (method, path, wanted) in cases {
        let found = router.find(method, path).unwrap();
        assert_eq!(found.route.method().name(), wanted, "{method} {path}");
    }
}

#[test]
fn methods_that_are_not_served_have_no_route() {
    let pool = &crate::fixture::POOL;
    let router = Router::build(pool, |method| method.name() == "Create").unwrap();
    assert_eq!(router.routes().len(), 1);
    assert_eq!(
        router.find("GET", "/v1/things/7").unwrap_err(),
        Miss::UnknownPath
    );
    assert_eq!(router.routes()[0].grpc_path(), "/test.v1.Things/Create");
}
