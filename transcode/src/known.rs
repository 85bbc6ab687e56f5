//! The messages that JSON writes in a form of their own, and words for what was expected.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

use crate::scalar;

/// Longest piece of a caller's text that an error repeats, in characters: enough to recognise it, too little to fill a log.
pub(crate) const MAX_QUOTE: usize = 64;

/// Most field names that an error lists; a message of today has at most twelve.
const MAX_NAMES: usize = 24;

/// What JSON expects for a well-known message; `None` for an ordinary one.
pub(crate) fn form(message: &MessageDescriptor) -> Option<&'static str> {
    Some(
        match message.full_name().strip_prefix("google.protobuf.")? {
            "Timestamp" => "an RFC 3339 time such as \"2026-01-31T09:00:00Z\"",
            "Duration" => "seconds with an s, such as \"1.5s\"",
            "FieldMask" => "field paths parted by commas, such as \"name,price.currency\"",
            "DoubleValue" | "FloatValue" => "a number",
            "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value" => "a whole number",
            "BoolValue" => "true or false",
            "StringValue" => "a string",
            "BytesValue" => "base64",
            "Any" => "an object with a known \"@type\"",
            "Struct" | "Empty" => "an object",
            "ListValue" => "an array",
            "Value" => "any JSON",
            _ => return None,
        },
    )
}

/// Reads a well-known message from JSON.
///
/// # Errors
/// What was expected, and what came instead.
pub(crate) fn from_json(
    message: &MessageDescriptor,
    json: &Json,
) -> Result<DynamicMessage, String> {
    if let Some(inner) = wrapped(message) {
        let value = scalar::from_json(&inner.kind(), json)?;
        let mut wrapper = DynamicMessage::new(message.clone());
        wrapper.set_field(&inner, value);
        return Ok(wrapper);
    }
    DynamicMessage::deserialize(message.clone(), json).map_err(|error| {
        let form = form(message).unwrap_or("an object");
        // The inner error of Any names a field deep inside, which is the useful part; for the others it only repeats the text.
        match message.full_name() {
            "google.protobuf.Any" => format!("must be {form}: {}", quote(&error.to_string())),
            _ => format!("must be {form}, is {}", describe(json)),
        }
    })
}

/// Reads a well-known message from the text of a query parameter.
///
/// # Errors
/// What was expected, and what came instead; or that this message has no text form.
pub(crate) fn from_text(message: &MessageDescriptor, text: &str) -> Result<Value, String> {
    if let Some(inner) = wrapped(message) {
        let value = scalar::from_text(&inner.kind(), text)?;
        let mut wrapper = DynamicMessage::new(message.clone());
        wrapper.set_field(&inner, value);
        return Ok(Value::Message(wrapper));
    }
    if has_text(message) {
        return from_json(message, &Json::String(text.to_owned())).map(Value::Message);
    }
    Err("is a message, which no query parameter can hold; set its fields one by one".to_owned())
}

/// Whether a query parameter can hold a well-known message.
pub(crate) fn has_text(message: &MessageDescriptor) -> bool {
    let texts = ["Timestamp", "Duration", "FieldMask"];
    let name = message.full_name().strip_prefix("google.protobuf.");
    wrapped(message).is_some() || name.is_some_and(|name| texts.contains(&name))
}

/// The field of a wrapper message such as `google.protobuf.Int64Value`.
fn wrapped(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    if name == "Value" || !name.ends_with("Value") {
        return None;
    }
    // ListValue has `values`, the wrappers have `value`.
    message
        .get_field_by_name("value")
        .filter(|field| !matches!(field.kind(), Kind::Message(_)))
}

/// The field names of a message, for an error.
pub(crate) fn names(message: &MessageDescriptor) -> String {
    let mut names: Vec<_> = message
        .fields()
        .take(MAX_NAMES)
        .map(|field| field.name().to_owned())
        .collect();
    if names.is_empty() {
        return "no fields".to_owned();
    }
    if message.fields().len() > MAX_NAMES {
        names.push("...".to_owned());
    }
    names.join(", ")
}

/// What a JSON value is, for an error.
pub(crate) fn describe(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => format!("{:?}", quote(text)),
        Json::Array(_) => "an array".to_owned(),
        Json::Object(_) => "an object".to_owned(),
    }
}

/// At most [`MAX_QUOTE`] characters of a caller's text.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
