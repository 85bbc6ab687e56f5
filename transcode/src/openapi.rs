//! `OpenAPI` 3.1 of the routes: what the router accepts and writes, said in the words that generators and test tools read.
//!
//! Comments of the contracts become descriptions. What HTTP rules do not say, access and bounds, comes from the caller as [`Terms`].
//! A route with an HTTP method that `OpenAPI` has no word for is left out.

mod comments;
mod operation;
mod schema;

use serde_json::{Map, Value as Json, json};

use crate::router::Router;
use crate::{Framing, Route};
use comments::Comments;
use schema::Schemas;

/// HTTP methods that `OpenAPI` 3.1 knows.
const METHODS: [&str; 8] = [
    "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE",
];

/// Name of the security scheme.
const BEARER: &str = "bearer";

/// Whether a method takes an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// It answers with and without.
    Optional,
    /// It refuses to answer without.
    Required,
}

/// What is said of a method besides its HTTP rule.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Whether it takes a token.
    pub token: Token,
    /// Sentences behind its comment, a line each.
    pub notes: Vec<String>,
    /// Headers that it reads: name and what it says.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// The document of every route of `router`, in the order of the paths.
pub fn document(
    router: &Router,
    title: &str,
    version: &str,
    terms: impl Fn(&Route) -> Terms,
) -> Json {
    let comments = Comments::of(router);
    let mut schemas = Schemas::new(&comments);
    let mut paths: Map<String, Json> = Map::new();
    let mut tags: Map<String, Json> = Map::new();
    let routes = router.routes().iter();
    for route in routes.filter(|route| METHODS.contains(&route.http_method())) {
        let service = &route.method.parent_service();
        let about = json!({"name": service.name(), "description": comments.of_service(service)});
        tags.insert(service.full_name().to_owned(), about);
        let nth = paths
            .values()
            .flat_map(|path| path.as_object().into_iter().flat_map(Map::values))
            .filter(|known| known["x-grpc-method"] == route.grpc_path())
            .count();
        let said = terms(route);
        let operation = operation::operation(route, nth, &said, &comments, &mut schemas);
        let path = paths.entry(plain(route.pattern())).or_insert(json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.http_method().to_lowercase(), operation);
        }
    }
    let mut schemas = schemas.finish();
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "tags": tags.into_iter().map(|(_, tag)| tag).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Error": {
                "description": "A refusal; `details` begin with google.rpc.ErrorInfo where the service said one; its `reason` is what a client branches on.",
                "headers": {"Retry-After": {"description": "Seconds after which to come back.", "schema": {"type": "integer", "minimum": 0}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            }},
            "securitySchemes": {BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

/// The template as `OpenAPI` writes it: a variable's own pattern has no form there.
fn plain(pattern: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for character in pattern.chars() {
        match character {
            '=' => inside = true,
            '}' => inside = false,
            _ => {}
        }
        if !inside {
            plain.push(character);
        }
    }
    plain
}

fn error() -> Json {
    let detail = json!({
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": true,
    });
    let status = json!({
        "type": "object",
        "description": "google.rpc.Status",
        "properties": {
            "code": {"type": "integer", "description": "Number of the google.rpc.Code."},
            "status": {"type": "string", "description": "Name of the google.rpc.Code."},
            "message": {"type": "string", "description": "One English sentence for a developer."},
            "details": {"type": "array", "items": detail},
        },
        "required": ["code", "status", "message", "details"],
    });
    json!({"type": "object", "properties": {"error": status}, "required": ["error"]})
}

/// The content of a streamed answer, by media type.
fn streamed(message: &Json) -> Json {
    let error = json!({"$ref": "#/components/schemas/Error"});
    let line = json!({"oneOf": [
        {"type": "object", "properties": {"result": message}, "required": ["result"]},
        {"type": "object", "properties": {"end": {"type": "object"}}, "required": ["end"]},
        error,
    ]});
    let array = json!({"type": "array", "items": {"anyOf": [message, error]}});
    let mut content = Map::new();
    for (framing, schema) in [
        (Framing::Array, array),
        (Framing::Lines, line),
        (Framing::Events, json!({"type": "string"})),
    ] {
        let schema = json!({ "schema": schema });
        content.insert(framing.content_type().to_owned(), schema);
    }
    content.into()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn patterns_of_variables_are_left_out() {
        for (pattern, wanted) in [
            ("/v1/things/{thing_id}:go", "/v1/things/{thing_id}:go"),
            ("/v1/{name=things/*}/x", "/v1/{name}/x"),
            ("/v1/{a.b=**}", "/v1/{a.b}"),
        ] {
            assert_eq!(plain(pattern), wanted);
        }
    }
}
