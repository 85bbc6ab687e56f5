//! One binding of one method.

use std::fmt;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::build::BuildError;
use crate::field_path::FieldPath;
use crate::rule::{Rule, wrong};
use crate::template::Template;

/// Full name of the message that carries raw bytes with their content type.
const HTTP_BODY: &str = "google.api.HttpBody";

/// Which part of a message the HTTP body is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// No body.
    Nothing,
    /// The whole message.
    Whole,
    /// One top-level field.
    Field(FieldDescriptor),
}

/// A binding of a method: HTTP method, template, and what goes where.
#[derive(Clone)]
pub struct Route {
    pub(crate) method: MethodDescriptor,
    pub(crate) http_method: String,
    pub(crate) pattern: String,
    pub(crate) template: Template,
    /// Fields of the template's variables, in its order.
    pub(crate) variables: Vec<FieldPath>,
    pub(crate) body: Body,
    pub(crate) response_body: Body,
}

impl Route {
    pub(crate) fn new(
        method: MethodDescriptor,
        rule: Rule,
        template: Template,
    ) -> Result<Self, BuildError> {
        let Rule {
            http_method,
            pattern,
            body,
            response_body,
        } = rule;
        if method.is_client_streaming() {
            return Err(wrong(
                &method,
                &pattern,
                "a stream of requests has no REST form",
            ));
        }
        let input = method.input();
        let body = match body.as_str() {
            "" => Ok(Body::Nothing),
            "*" => Ok(Body::Whole),
            name => field(&input, name).map(Body::Field),
        };
        let response_body = match response_body.as_str() {
            "" => Ok(Body::Whole),
            name => field(&method.output(), name).map(Body::Field),
        };
        let variables = template
            .variables
            .iter()
            .map(|variable| FieldPath::of_path_variable(&input, &variable.field))
            .collect();
        match (body, response_body, variables) {
            (Ok(body), Ok(response_body), Ok(variables)) => Ok(Self {
                method,
                http_method,
                pattern,
                template,
                variables,
                body,
                response_body,
            }),
            (Err(text), ..) => Err(wrong(&method, &pattern, format!("body: {text}"))),
            (_, Err(text), _) => Err(wrong(&method, &pattern, format!("response_body: {text}"))),
            (_, _, Err(text)) => Err(wrong(&method, &pattern, text)),
        }
    }

    /// The method that it calls.
    pub fn method(&self) -> &MethodDescriptor {
        &self.method
    }

    /// HTTP method, or `*` for every one.
    pub fn http_method(&self) -> &str {
        &self.http_method
    }

    /// The template as it is written, for example `/v1/things/{thing_id}`. It is the label of this route in logs and metrics.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Path of the method in gRPC, `/package.Service/Method`.
    pub fn grpc_path(&self) -> String {
        format!(
            "/{}/{}",
            self.method.parent_service().full_name(),
            self.method.name()
        )
    }

    /// Whether the HTTP body says anything.
    pub fn takes_body(&self) -> bool {
        self.body != Body::Nothing
    }

    /// Whether the HTTP body is a `google.api.HttpBody`: bytes of any content type instead of JSON.
    pub fn takes_raw_body(&self) -> bool {
        match &self.body {
            Body::Nothing => false,
            Body::Whole => is_http_body(&self.method.input()),
            Body::Field(field) => holds_http_body(field),
        }
    }

    /// Whether the answer is the bytes of a `google.api.HttpBody`, instead of JSON. Those of a stream follow each other in one body, whose
    /// content type is that of the first.
    pub fn answers_raw_body(&self) -> bool {
        match &self.response_body {
            Body::Field(field) => holds_http_body(field),
            Body::Whole | Body::Nothing => is_http_body(&self.method.output()),
        }
    }
}

/// By hand: `Debug` of a descriptor whose message contains itself never ends (prost-reflect 0.16).
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} -> {}",
            self.http_method,
            self.pattern,
            self.grpc_path()
        )
    }
}

/// Whether `field` is one `google.api.HttpBody`.
pub(crate) fn holds_http_body(field: &FieldDescriptor) -> bool {
    !field.is_list() && matches!(field.kind(), Kind::Message(message) if is_http_body(&message))
}

pub(crate) fn is_http_body(message: &MessageDescriptor) -> bool {
    message.full_name() == HTTP_BODY
}

fn field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    message
        .get_field_by_name(name)
        .ok_or_else(|| format!("{} has no field {name}", message.full_name()))
}
