//! An encoded response message to an HTTP response.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, SerializeOptions, Value};

use crate::code::Code;
use crate::failure::Failure;
use crate::route::{Body, Route, is_http_body};

/// Content type of every JSON body. RFC 8259 knows no charset parameter; JSON is UTF-8.
pub(crate) const JSON_TYPE: &str = "application/json";

/// Content type of bytes that name none.
pub(crate) const BINARY_TYPE: &str = "application/octet-stream";

/// `ProtoJSON` as it is, and fields without presence written even when they hold their default: a client then finds `"available": 0` and
/// `"lines": []` where it would otherwise have to know that absence means them. Unset messages, oneofs and `optional` fields stay absent.
const OPTIONS: SerializeOptions = SerializeOptions::new().skip_default_fields(false);

impl Route {
    /// Writes the response of the method, 200 with JSON, or with the bytes of a `google.api.HttpBody`. Of a stream: one message.
    ///
    /// # Errors
    /// INTERNAL `UPSTREAM_MESSAGE_INVALID` when the bytes are not the response message or hold what JSON cannot say, such as a
    /// timestamp beyond the year 9999.
    pub fn response(&self, message: &[u8]) -> Result<Response<Bytes>, Failure> {
        let message =
            DynamicMessage::decode(self.method.output(), message).map_err(|_| invalid())?;
        match &self.response_body {
            Body::Field(field) => write_field(&message, field),
            Body::Whole | Body::Nothing => write_message(&message),
        }
    }
}

fn write_message(message: &DynamicMessage) -> Result<Response<Bytes>, Failure> {
    if is_http_body(&message.descriptor()) {
        return raw(message);
    }
    let mut body = serde_json::Serializer::new(Vec::new());
    message
        .serialize_with_options(&mut body, &OPTIONS)
        .map_err(|_| invalid())?;
    with_type(JSON_TYPE, body.into_inner().into())
}

fn write_field(
    message: &DynamicMessage,
    field: &FieldDescriptor,
) -> Result<Response<Bytes>, Failure> {
    if let Value::Message(inner) = message.get_field(field).as_ref() {
        return write_message(inner);
    }
    // Lists, maps and scalars have no writer of their own: write the message and take the field out.
    let whole = message.serialize_with_options(serde_json::value::Serializer, &OPTIONS);
    let mut whole = whole.map_err(|_| invalid())?;
    let value = whole
        .get_mut(field.json_name())
        .map(serde_json::Value::take)
        .unwrap_or_default();
    with_type(JSON_TYPE, value.to_string().into())
}

fn raw(message: &DynamicMessage) -> Result<Response<Bytes>, Failure> {
    let data = message
        .get_field_by_name("data")
        .and_then(|data| data.as_bytes().cloned());
    let content_type = message.get_field_by_name("content_type");
    let content_type = content_type
        .as_ref()
        .and_then(|text| text.as_str())
        .filter(|text| !text.is_empty());
    with_type(
        content_type.unwrap_or(BINARY_TYPE),
        data.unwrap_or_default(),
    )
}

fn with_type(content_type: &str, body: Bytes) -> Result<Response<Bytes>, Failure> {
    let content_type = HeaderValue::from_str(content_type).map_err(|_| invalid())?;
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

fn invalid() -> Failure {
    let message = "The service answered with a message that has no JSON form.";
    Failure::new(Code::Internal, "UPSTREAM_MESSAGE_INVALID", message)
}
