//! One route as an operation: what comes from the path, the query, the headers and the body, and what comes back.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value as Json, json};

use super::comments::Comments;
use super::schema::Schemas;
use super::{BEARER, Terms, Token, streamed};
use crate::field_path::{FieldPath, MAX_FIELD_DEPTH};
use crate::known;
use crate::query::REQUEST_ID;
use crate::route::{Body, Route};

pub(super) fn operation(
    route: &Route,
    nth: usize,
    terms: &Terms,
    comments: &Comments,
    schemas: &mut Schemas<'_>,
) -> Json {
    let method = &route.method;
    let service = method.parent_service();
    let mut id = format!("{}_{}", service.name(), method.name());
    if nth > 0 {
        id.push_str(&format!("_{}", nth + 1));
    }
    let about = comments.of_method(method);
    let summary = about.split_inclusive(". ").next().unwrap_or_default();
    let mut paragraphs = vec![about.clone()];
    paragraphs.extend(terms.notes.iter().cloned());
    let mut parameters = path_parameters(route, schemas);
    query_parameters(route, schemas, &mut parameters);
    if method.input().get_field_by_name(REQUEST_ID).is_some() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "Fills request_id, a UUID, where the body leaves it empty. The same key and request have one effect.",
            "schema": {"type": "string", "format": "uuid"},
        }));
    }
    for (name, about) in &terms.headers {
        let text = json!({"type": "string"});
        parameters
            .push(json!({"name": name, "in": "header", "description": about, "schema": text}));
    }
    let bearer = json!({BEARER: []});
    let security = match terms.token {
        Token::Optional => vec![json!({}), bearer],
        Token::Required => vec![bearer],
    };
    let mut operation = json!({
        "operationId": id,
        "tags": [service.name()],
        "summary": summary.trim_end_matches(['.', ' ']),
        "description": paragraphs.join("\n\n"),
        "parameters": parameters,
        "security": security,
        "responses": {
            "200": {"description": "The answer.", "content": answer(route, schemas)},
            "default": {"$ref": "#/components/responses/Error"},
        },
        "x-grpc-method": route.grpc_path(),
    });
    if let (Some(body), Some(operation)) = (body(route, schemas), operation.as_object_mut()) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn path_parameters(route: &Route, schemas: &mut Schemas<'_>) -> Vec<Json> {
    let variables = route.variables.iter().zip(&route.template.variables);
    let parameter = |(path, variable): (&FieldPath, &crate::template::Variable)| {
        let schema = schemas.described(&path.field);
        json!({"name": variable.field, "in": "path", "required": true, "schema": schema})
    };
    variables.map(parameter).collect()
}

fn query_parameters(route: &Route, schemas: &mut Schemas<'_>, parameters: &mut Vec<Json>) {
    if route.body == Body::Whole {
        return;
    }
    let input = route.method.input();
    let free = |path: &str| {
        let path = FieldPath::resolve(&input, path);
        path.is_ok_and(|path| {
            let body = matches!(&route.body, Body::Field(field) if field == path.root());
            !body && !route.variables.contains(&path)
        })
    };
    let mut flat = Vec::new();
    flatten(&input, "", &mut Vec::new(), &mut flat);
    for (name, field) in flat.into_iter().filter(|(name, _)| free(name)) {
        let schema = schemas.described(&field);
        parameters.push(json!({"name": name, "in": "query", "schema": schema}));
    }
}

/// Fields that a parameter can name, each with its path in JSON names. `above` are the messages on the way here: one that holds itself
/// has no end.
fn flatten(
    message: &MessageDescriptor,
    before: &str,
    above: &mut Vec<MessageDescriptor>,
    flat: &mut Vec<(String, FieldDescriptor)>,
) {
    above.push(message.clone());
    for field in message.fields().filter(|field| !field.is_map()) {
        let name = format!("{before}{}", field.json_name());
        match field.kind() {
            Kind::Message(inner) if known::form(&inner).is_some() => {
                if known::has_text(&inner) {
                    flat.push((name, field));
                }
            }
            Kind::Message(inner) => {
                if !field.is_list() && !above.contains(&inner) && above.len() < MAX_FIELD_DEPTH {
                    flatten(&inner, &format!("{name}."), above, flat);
                }
            }
            _ => flat.push((name, field)),
        }
    }
    above.pop();
}

fn body(route: &Route, schemas: &mut Schemas<'_>) -> Option<Json> {
    let input = route.method.input();
    let schema = match &route.body {
        Body::Nothing => return None,
        _ if route.takes_raw_body() => {
            return Some(json!({"content": {"*/*": {"schema": {}}}}));
        }
        Body::Field(field) => schemas.described(field),
        Body::Whole => {
            // What the path says need not stand in the body again.
            let mut schema = schemas.object(&input, |field| {
                let taken = |path: &FieldPath| path.field == *field && path.root() == field;
                !route.variables.iter().any(taken)
            });
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("additionalProperties".to_owned(), false.into());
            }
            schema
        }
    };
    Some(json!({"content": {"application/json": {"schema": schema}}}))
}

fn answer(route: &Route, schemas: &mut Schemas<'_>) -> Json {
    let output = route.method.output();
    if route.answers_raw_body() {
        return json!({"*/*": {"schema": {}}});
    }
    let schema = match &route.response_body {
        Body::Field(field) => schemas.described(field),
        Body::Whole | Body::Nothing => schemas.message(&output),
    };
    match route.method.is_server_streaming() {
        true => streamed(&schema),
        false => json!({"application/json": {"schema": schema}}),
    }
}
