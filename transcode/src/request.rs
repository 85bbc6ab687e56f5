//! An HTTP request to a message: body first, then the path over it, then the query for what is left.

use bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

use crate::failure::Failure;
use crate::json;
use crate::known::quote;
use crate::query;
use crate::route::{Body, Route, holds_http_body, is_http_body};
use crate::router::Match;
use crate::violations::Violations;

/// The parts of an HTTP request that become the message.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// Query, without `?`.
    pub query: Option<&'a str>,
    /// Header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// Header `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// The whole body. The caller has bounded it.
    pub body: Bytes,
}

impl Match<'_> {
    /// Builds the request message of the method.
    ///
    /// # Errors
    /// INVALID_REQUEST with every violation found in path, query and body, or UNSUPPORTED_MEDIA_TYPE for a body that is not JSON where
    /// JSON is wanted.
    pub fn message(&self, request: &Request<'_>) -> Result<DynamicMessage, Failure> {
        let mut out = Violations::default();
        let mut message = read_body(self.route, request, &mut out)?;
        query::apply_captures(self.route, &self.captures, &mut message, &mut out);
        query::apply(
            self.route,
            request.query.unwrap_or_default(),
            &mut message,
            &mut out,
        );
        if let Some(key) = request.idempotency_key {
            query::apply_idempotency_key(key, &mut message, &mut out);
        }
        if out.is_empty() {
            Ok(message)
        } else {
            Err(Failure::invalid(out))
        }
    }
}

fn read_body(
    route: &Route,
    request: &Request<'_>,
    out: &mut Violations,
) -> Result<DynamicMessage, Failure> {
    let input = route.method.input();
    let mut message = DynamicMessage::new(input.clone());
    match &route.body {
        Body::Nothing if !request.body.is_empty() => {
            out.add(
                "body",
                "is not taken by this method; send path and query alone",
            );
        }
        Body::Nothing => {}
        Body::Whole if is_http_body(&input) => return Ok(http_body(&input, request)),
        Body::Field(field) if holds_http_body(field) => {
            if let Some(descriptor) = field.kind().as_message() {
                message.set_field(field, Value::Message(http_body(descriptor, request)));
            }
        }
        // No body is the empty object: a transition such as `:publish` needs its path and Idempotency-Key alone.
        Body::Whole | Body::Field(_) if request.body.is_empty() => {}
        Body::Whole => read_whole(&mut message, &input, request, out)?,
        Body::Field(field) => read_field(&mut message, field, request, out)?,
    }
    Ok(message)
}

fn read_whole(
    message: &mut DynamicMessage,
    input: &MessageDescriptor,
    request: &Request<'_>,
    out: &mut Violations,
) -> Result<(), Failure> {
    if let Some(json) = read_json(request, out)? {
        *message = json::message(input, &json, "", out);
    }
    Ok(())
}

fn read_field(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    request: &Request<'_>,
    out: &mut Violations,
) -> Result<(), Failure> {
    let Some(json) = read_json(request, out)? else {
        return Ok(());
    };
    if let Some(value) = json::field_value(field, &json, field.name(), out) {
        message.set_field(field, value);
    }
    Ok(())
}

fn read_json(
    request: &Request<'_>,
    out: &mut Violations,
) -> Result<Option<serde_json::Value>, Failure> {
    require_json(request.content_type)?;
    match json::parse(&request.body) {
        Ok(json) => Ok(Some(json)),
        Err(error) => {
            out.add(
                "body",
                format!("is not JSON as this method reads it: {error}"),
            );
            Ok(None)
        }
    }
}

/// Accepts `application/json` and `application/<anything>+json`, with no charset but UTF-8.
fn require_json(content_type: Option<&str>) -> Result<(), Failure> {
    let Some(content_type) = content_type else {
        return Err(Failure::unsupported_media_type(
            "Send the header Content-Type: application/json.",
        ));
    };
    let mut parts = content_type
        .split(';')
        .map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let json = kind
        .strip_prefix("application/")
        .is_some_and(|kind| kind == "json" || kind.ends_with("+json"));
    let utf8 = parts.all(|part| match part.strip_prefix("charset=") {
        Some(charset) => charset.trim_matches('"') == "utf-8",
        None => true,
    });
    if json && utf8 {
        return Ok(());
    }
    let got = quote(content_type);
    Err(Failure::unsupported_media_type(format!(
        "Send application/json in UTF-8, not {got}."
    )))
}

/// The raw body as `google.api.HttpBody`.
fn http_body(descriptor: &MessageDescriptor, request: &Request<'_>) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    if let Some(field) = descriptor.get_field_by_name("content_type") {
        let content_type = request.content_type.unwrap_or(crate::response::BINARY_TYPE);
        message.set_field(&field, Value::String(content_type.to_owned()));
    }
    if let Some(field) = descriptor.get_field_by_name("data") {
        message.set_field(&field, Value::Bytes(request.body.clone()));
    }
    message
}
