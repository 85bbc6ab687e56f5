//! Scalars and enums from JSON values and from the text of path and query parameters.
//!
//! Written here rather than taken from prost-reflect, so that both entrances accept the same values, every refusal says what was
//! expected, and 64-bit numbers written as a JSON number beyond the range are refused instead of cut.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use prost_reflect::{EnumDescriptor, Kind, Value};
use serde_json::Value as Json;

use crate::known::{self, describe, quote};

/// Padding or none, as `ProtoJSON` asks of readers.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Most enum names that an error lists.
const MAX_NAMES: usize = 16;

/// Reads a scalar or an enum value from JSON.
///
/// # Errors
/// What was expected, and what came instead.
pub(crate) fn from_json(kind: &Kind, json: &Json) -> Result<Value, String> {
    let value = match (kind, json) {
        (Kind::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (Kind::Bool, _) => None,
        (Kind::String | Kind::Bytes, Json::String(text)) => parse(kind, text),
        (Kind::String | Kind::Bytes, _) => None,
        (Kind::Double | Kind::Float, Json::Number(number)) => {
            number.as_f64().and_then(|value| float(kind, value))
        }
        (Kind::Enum(names), Json::Null) if is_null_value(names) => Some(Value::EnumNumber(0)),
        (Kind::Enum(names), Json::String(name)) => names
            .get_value_by_name(name)
            .map(|value| Value::EnumNumber(value.number())),
        (_, Json::Number(number)) => whole_number(number).and_then(|value| integer(kind, value)),
        (_, Json::String(text)) => parse(kind, text),
        _ => None,
    };
    value.ok_or_else(|| format!("must be {}, is {}", expected(kind), describe(json)))
}

/// Reads a scalar, an enum value or a well-known message from the text of a parameter.
///
/// # Errors
/// What was expected, and what came instead.
pub(crate) fn from_text(kind: &Kind, text: &str) -> Result<Value, String> {
    if let Kind::Message(message) = kind {
        return known::from_text(message, text);
    }
    parse(kind, text).ok_or_else(|| format!("must be {}, is {:?}", expected(kind), quote(text)))
}

fn parse(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Bytes => base64_bytes(text).map(Value::Bytes),
        // Rust reads a leading plus, JSON does not.
        _ if text.starts_with('+') => None,
        Kind::Bool => text.parse().ok().map(Value::Bool),
        Kind::Double | Kind::Float => match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            // Rust reads `inf` and `nan` in any case; JSON numbers start with a digit or a minus and end with a digit.
            _ if text.ends_with(|c: char| c.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
        .and_then(|value| float(kind, value)),
        Kind::Enum(names) => match names.get_value_by_name(text) {
            Some(value) => Some(Value::EnumNumber(value.number())),
            None => text.parse().ok().map(Value::EnumNumber),
        },
        Kind::Message(_) => None,
        _ => text.parse().ok().and_then(|value| integer(kind, value)),
    }
}

/// A value of an integer kind, or an enum number; `None` beyond the range.
fn integer(kind: &Kind, value: i128) -> Option<Value> {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => i32::try_from(value).ok().map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => i64::try_from(value).ok().map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).ok().map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => u64::try_from(value).ok().map(Value::U64),
        Kind::Enum(_) => i32::try_from(value).ok().map(Value::EnumNumber),
        _ => None,
    }
}

/// A value of a floating kind; `None` when a finite number does not fit a float.
fn float(kind: &Kind, value: f64) -> Option<Value> {
    if *kind == Kind::Double {
        return Some(Value::F64(value));
    }
    #[expect(
        clippy::as_conversions,
        reason = "Rust has no other narrowing of floats; the range is checked below"
    )]
    let narrow = value as f32;
    (narrow.is_finite() || !value.is_finite()).then_some(Value::F32(narrow))
}

/// A JSON number without a fraction, `1e3` included.
fn whole_number(number: &serde_json::Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(i128::from(value));
    }
    if let Some(value) = number.as_u64() {
        return Some(i128::from(value));
    }
    let value = number.as_f64().filter(|value| value.fract() == 0.0)?;
    format!("{value:.0}").parse().ok()
}

fn base64_bytes(text: &str) -> Option<Bytes> {
    let engine = if text.contains(['-', '_']) {
        URL_SAFE
    } else {
        STANDARD
    };
    engine.decode(text).ok().map(Bytes::from)
}

pub(crate) fn is_null_value(names: &EnumDescriptor) -> bool {
    names.full_name() == "google.protobuf.NullValue"
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::String => "a string".to_owned(),
        Kind::Bytes => "base64".to_owned(),
        Kind::Double | Kind::Float => "a number".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => range(i32::MIN, i32::MAX),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => range(i64::MIN, i64::MAX),
        Kind::Uint32 | Kind::Fixed32 => range(u32::MIN, u32::MAX),
        Kind::Uint64 | Kind::Fixed64 => range(u64::MIN, u64::MAX),
        Kind::Enum(names) => enum_names(names),
        Kind::Message(message) => known::form(message).unwrap_or("an object").to_owned(),
    }
}

fn range(low: impl std::fmt::Display, high: impl std::fmt::Display) -> String {
    format!("a whole number from {low} to {high}")
}

fn enum_names(names: &EnumDescriptor) -> String {
    let mut known: Vec<_> = names
        .values()
        .take(MAX_NAMES)
        .map(|value| value.name().to_owned())
        .collect();
    if names.values().len() > MAX_NAMES {
        known.push("...".to_owned());
    }
    format!("one of {}", known.join(", "))
}
