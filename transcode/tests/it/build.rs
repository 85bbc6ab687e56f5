//! Mistakes in annotations stop the build, all of them at once.

use prost_reflect::DescriptorPool;
use transcode::{BuildError, ErrorWriter, Router};

use crate::fixture::compile;

fn errors(methods: &str) -> Vec<String> {
    let source = format!(
        "syntax = \"proto3\"; package t.v1; import \"google/api/annotations.proto\"; import \"google/api/httpbody.proto\";
         message In {{ string a = 1; string b = 2; repeated string list = 3; In in = 4; map<string, string> map = 5; }}
         service S {{ {methods} }}"
    );
    let pool = compile(&source).unwrap();
    let errors = Router::build(&pool, |_| true).expect_err("mistakes");
    errors.to_string().lines().map(str::to_owned).collect()
}

fn method(name: &str, rule: &str) -> String {
    format!("rpc {name}(In) returns (In) {{ option (google.api.http) = {{ {rule} }}; }}")
}

#[test]
fn duplicate_routes_are_refused() {
    let one = method("One", "get: \"/v1/{a}/x\"");
    // Another variable name, or a pattern that spells `*`, is the same route.
    let two = method("Two", "get: \"/v1/{b=*}/x\"");
    let three = method(
        "Three",
        "get: \"/v1/{b=*}/x:go\" additional_bindings { post: \"/v1/*/x\" }",
    );
    assert_eq!(
        errors(&[one, two, three].concat()),
        ["t.v1.S.Two: GET /v1/{b=*}/x is already the route of t.v1.S.One"]
    );
}

#[test]
fn one_method_may_not_take_a_route_twice() {
    let one = method(
        "One",
        "get: \"/v1/{a}\" additional_bindings { get: \"/v1/{b}\" }",
    );
    assert_eq!(
        errors(&one),
        ["t.v1.S.One: GET /v1/{b} is already the route of t.v1.S.One"]
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let methods = [
        method("A", "get: \"/v1/{zzz}\""),
        method("B", "get: \"/v1/{list}\""),
        method("C", "get: \"/v1/{in}\""),
        method("D", "get: \"/v1/{list.x}\""),
        method("E", "post: \"/v1/e\" body: \"zzz\""),
        method("F", "get: \"/v1/f\" response_body: \"zzz\""),
        method("G", "get: \"/v1/{\""),
        method("H", "body: \"*\""),
        method("I", "custom { path: \"/v1/i\" }"),
        method("J", "get: \"/v1/j\" additional_bindings { get: \"/v1/j2\" additional_bindings { get: \"/v1/j3\" } }"),
        "rpc K(stream In) returns (In) { option (google.api.http) = { post: \"/v1/k\" body: \"*\" }; }".to_owned(),
    ];
    let found = errors(&methods.concat());
    let wanted = [
        "t.v1.S.A: /v1/{zzz}: unknown; In has a, b, list, in, map",
        "t.v1.S.B: /v1/{list}: list is not one scalar, so no path variable can fill it",
        "t.v1.S.C: /v1/{in}: in is not one scalar, so no path variable can fill it",
        "t.v1.S.D: /v1/{list.x}: list is not one message, so it has no parts",
        "t.v1.S.E: /v1/e: body: t.v1.In has no field zzz",
        "t.v1.S.F: /v1/f: response_body: t.v1.In has no field zzz",
        "t.v1.S.G: /v1/{: expected a field path such as `a.b` at 5, found the end",
        "t.v1.S.H: google.api.http: the rule has no pattern",
        "t.v1.S.I: google.api.http: a custom pattern needs a kind",
        "t.v1.S.J: additional_bindings: they nest one level deep only",
        "t.v1.S.K: /v1/k: a stream of requests has no REST form",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_pool_without_the_files_it_needs_is_refused() {
    let empty = DescriptorPool::new();
    let errors = Router::build(&empty, |_| true).expect_err("no annotations");
    assert_eq!(
        errors.0,
        [BuildError::MissingFile {
            file: "google/api/annotations.proto"
        }]
    );
    let error = ErrorWriter::new(&empty).expect_err("no details");
    assert_eq!(
        error,
        BuildError::MissingFile {
            file: "google/rpc/error_details.proto"
        }
    );
}

#[test]
fn a_route_of_a_recursive_message_can_be_printed() {
    let router = &*crate::fixture::ROUTER;
    assert_eq!(
        format!("{:?}", router.routes()[0]),
        "GET /v1/things/{thing_id} -> /test.v1.Things/Get"
    );
}
