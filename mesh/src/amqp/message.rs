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

/// Most headers that are read: ours have six, a broker adds some when it lays a message aside.
const HEADERS_MAX: usize = 32;

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
    /// Whether its publisher gave it its id. One made of what it says may stand for several messages.
    pub(super) named: bool,
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
    pub(super) fn read(properties: &BasicProperties, payload: Vec<u8>) -> Result<Self, Unreadable> {
        let said = properties.message_id().as_ref();
        let known = said.and_then(|text| id::parse(text.as_str()));
        let kind = properties.kind().as_ref();
        let message = Self {
            message_id: known.unwrap_or_else(|| derived(said, kind, &payload)),
            kind: kind.map(|kind| plain(kind.as_str())).unwrap_or_default(),
            payload,
            headers: properties.headers().as_ref().map(texts).unwrap_or_default(),
            failed_attempts: 0,
            named: known.is_some(),
        };
        let poison = match (known, said, kind) {
            (None, Some(said), _) => {
                Poison::new(format!("its message id {:?} is no UUID", said.as_str()))
            }
            (None, None, _) => Poison::new("it has no message id"),
            (_, _, None) => Poison::new("it has no type"),
            (Some(_), _, Some(_)) => return Ok(message),
        };
        Err(Unreadable { message, poison })
    }
}

/// A delivery that lacks what every message has.
#[derive(Clone, Debug)]
pub(super) struct Unreadable {
    /// What there is of it.
    pub(super) message: Message,
    /// What it lacks.
    pub(super) poison: Poison,
}

/// The id of a message without one: the same message gets the same, so that a second delivery is known.
fn derived(said: Option<&ShortString>, kind: Option<&ShortString>, payload: &[u8]) -> Uuid {
    let text = |text: Option<&ShortString>| text.map(ShortString::to_string).unwrap_or_default();
    let about = [text(said), text(kind)].join("\n");
    id::derive(id::derive(Uuid::nil(), about), payload)
}

/// Text that Postgres takes: NUL is none to it, in text and in JSON.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn texts(table: &FieldTable) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in table.into_iter().take(HEADERS_MAX) {
        let text = match value {
            AMQPValue::LongString(text) if text.len() <= HEADER_MAX => {
                String::from_utf8_lossy(text.as_bytes()).into_owned()
            }
            AMQPValue::ShortString(text) => text.as_str().to_owned(),
            _ => continue,
        };
        headers.insert(plain(name.as_str()), plain(&text));
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
