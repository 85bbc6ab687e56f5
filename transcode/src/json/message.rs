//! A JSON tree to a [`DynamicMessage`], collecting every violation with the path of its field.

use std::collections::{BTreeSet, HashMap};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use serde_json::{Map, Value as Json};

use crate::field_path::{field, rival};
use crate::known::{self, describe, quote};
use crate::scalar;
use crate::violations::Violations;

/// Reads a message. What is wrong goes to `out`, under `path`; the result then lacks it.
pub(crate) fn message(
    descriptor: &MessageDescriptor,
    json: &Json,
    path: &str,
    out: &mut Violations,
) -> DynamicMessage {
    if known::form(descriptor).is_some() {
        return known::from_json(descriptor, json).unwrap_or_else(|text| {
            out.add(path, text);
            DynamicMessage::new(descriptor.clone())
        });
    }
    let mut message = DynamicMessage::new(descriptor.clone());
    let Json::Object(fields) = json else {
        out.add(path, format!("must be an object, is {}", describe(json)));
        return message;
    };
    let mut seen = BTreeSet::new();
    for (name, json) in fields {
        match field(descriptor, name) {
            // Names are unique in the tree, so the first one was its other name.
            Ok(field) if !seen.insert(field.number()) => {
                out.add(join(path, field.name()), "stands twice, by its two names");
            }
            Ok(field) => set(&mut message, &field, json, &join(path, field.name()), out),
            Err(text) => out.add(join(path, &quote(name)), text),
        }
    }
    message
}

/// Reads the value of one field, a list or a map included. `None` for null, which leaves the field unset.
pub(crate) fn field_value(
    field: &FieldDescriptor,
    json: &Json,
    path: &str,
    out: &mut Violations,
) -> Option<Value> {
    let kind = field.kind();
    if json.is_null() && !takes_null(&kind) {
        return None;
    }
    match (&kind, json) {
        (Kind::Message(entry), Json::Object(entries)) if field.is_map() => {
            Some(Value::Map(map(entry, entries, path, out)))
        }
        (_, Json::Array(values)) if field.is_list() => {
            let indexed = values.iter().enumerate();
            let values =
                indexed.filter_map(|(at, json)| one(&kind, json, &format!("{path}[{at}]"), out));
            Some(Value::List(values.collect()))
        }
        _ if field.is_map() || field.is_list() => {
            let wanted = if field.is_map() {
                "an object"
            } else {
                "an array"
            };
            out.add(path, format!("must be {wanted}, is {}", describe(json)));
            None
        }
        _ => one(&kind, json, path, out),
    }
}

fn set(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    json: &Json,
    path: &str,
    out: &mut Violations,
) {
    let Some(value) = field_value(field, json, path, out) else {
        return;
    };
    if let Some(rival) = rival(message, field) {
        out.add(
            path,
            format!(
                "excludes {}, which is also set; send one of them",
                rival.name()
            ),
        );
    } else {
        message.set_field(field, value);
    }
}

fn one(kind: &Kind, json: &Json, path: &str, out: &mut Violations) -> Option<Value> {
    match kind {
        Kind::Message(descriptor) => Some(Value::Message(message(descriptor, json, path, out))),
        _ => scalar::from_json(kind, json)
            .map_err(|text| out.add(path, text))
            .ok(),
    }
}

fn map(
    entry: &MessageDescriptor,
    entries: &Map<String, Json>,
    path: &str,
    out: &mut Violations,
) -> HashMap<MapKey, Value> {
    let key_kind = entry.map_entry_key_field().kind();
    let value_kind = entry.map_entry_value_field().kind();
    let mut values = HashMap::with_capacity(entries.len());
    for (name, json) in entries {
        let path = format!("{path}[{}]", quote(name));
        let key = scalar::from_text(&key_kind, name).map_err(|text| format!("the key {text}"));
        match key.map(Value::into_map_key) {
            Ok(Some(key)) => {
                if let Some(value) = one(&value_kind, json, &path, out)
                    && values.insert(key, value).is_some()
                {
                    out.add(path, "stands twice, in two spellings");
                }
            }
            Ok(None) => out.add(path, "is no key of this map"),
            Err(text) => out.add(path, text),
        }
    }
    values
}

/// Null is a value for these two alone.
fn takes_null(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => message.full_name() == "google.protobuf.Value",
        Kind::Enum(names) => scalar::is_null_value(names),
        _ => false,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
