//! A message as a handler sees it.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use prost::Name;
use uuid::Uuid;

use super::handle::Poison;
use super::link::{AmqpError, short};
use crate::id;
use crate::trace::{TRACEPARENT, TraceParent};

/// Longest text header that is read: a traceparent has 55 bytes, a type name at most 255.
const HEADER_MAX: usize = 1024;

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Given by the publisher; the inbox knows it by this.
    pub message_id: Uuid,
    /// Full protobuf name.
    pub kind: String,
    /// Encoded protobuf message.
    pub payload: Vec<u8>,
    /// Text headers: `cloudEvents_*`, `traceparent`.
    pub headers: BTreeMap<String, String>,
    /// Attempts to handle it that failed before this one.
    pub failed_attempts: u32,
}

impl Message {
    /// Decodes the payload as `M`; anything else is poison.
    pub fn decode<M: prost::Message + Name + Default>(&self) -> Result<M, Poison> {
        if self.kind != M::full_name() {
            return Err(Poison::new(format!(
                "it is a {}, not a {}",
                self.kind,
                M::full_name()
            )));
        }
        M::decode(&self.payload[..])
            .map_err(|error| Poison::new(format!("it does not decode: {error}")))
    }

    /// The trace it belongs to.
    #[must_use]
    pub fn trace(&self) -> Option<TraceParent> {
        self.headers.get(TRACEPARENT)?.parse().ok()
    }

    /// Reads a delivery; one without id or type cannot be handled.
    pub(super) fn read(properties: &BasicProperties, payload: Vec<u8>) -> Result<Self, Poison> {
        let message_id = properties
            .message_id()
            .as_ref()
            .and_then(|text| id::parse(text.as_str()))
            .ok_or_else(|| Poison::new("it has no message id"))?;
        let kind = properties
            .kind()
            .as_ref()
            .map(|kind| kind.as_str().to_owned())
            .ok_or_else(|| Poison::new("it has no type"))?;
        Ok(Self {
            message_id,
            kind,
            payload,
            headers: properties.headers().as_ref().map(texts).unwrap_or_default(),
            failed_attempts: 0,
        })
    }
}

fn texts(table: &FieldTable) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in table {
        let text = match value {
            AMQPValue::LongString(text) if text.len() <= HEADER_MAX => {
                String::from_utf8_lossy(text.as_bytes()).into_owned()
            }
            AMQPValue::ShortString(text) => text.as_str().to_owned(),
            _ => continue,
        };
        headers.insert(name.as_str().to_owned(), text);
    }
    headers
}

/// Properties of a message on the wire: persistent, typed, known by its id.
pub(super) fn properties(
    message_id: Uuid,
    kind: &str,
    headers: &BTreeMap<String, String>,
) -> Result<BasicProperties, AmqpError> {
    /// AMQP's number for "written to disk".
    const PERSISTENT: u8 = 2;
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(
            short(name)?,
            AMQPValue::LongString(LongString::from(value.as_str())),
        );
    }
    Ok(BasicProperties::default()
        .with_message_id(short(message_id.to_string())?)
        .with_type(short(kind)?)
        .with_content_type(ShortString::from("application/protobuf"))
        .with_delivery_mode(PERSISTENT)
        .with_headers(table))
}
