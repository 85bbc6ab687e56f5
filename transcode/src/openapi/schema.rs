//! Messages as JSON Schema 2020-12, the dialect of `OpenAPI` 3.1.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};

use super::comments::Comments;
use crate::known;

/// Schemas of every message that was asked for, and of those they hold.
pub(super) struct Schemas<'c> {
    comments: &'c Comments,
    known: BTreeMap<String, Json>,
}

impl<'c> Schemas<'c> {
    pub(super) fn new(comments: &'c Comments) -> Self {
        Self {
            comments,
            known: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> Map<String, Json> {
        self.known.into_iter().collect()
    }

    /// A message; ordinary ones are written once and referred to.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Json {
        if let Some(schema) = well_known(message) {
            return schema;
        }
        let name = message.full_name().to_owned();
        if !self.known.contains_key(&name) {
            // Before its fields: a message may hold itself.
            self.known.insert(name.clone(), Json::Null);
            let schema = self.object(message, |_| true);
            self.known.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// An object with the fields that `takes` picks.
    pub(super) fn object(
        &mut self,
        message: &MessageDescriptor,
        takes: impl Fn(&FieldDescriptor) -> bool,
    ) -> Json {
        let fields = message.fields().filter(takes);
        let properties: Map<String, Json> = fields
            .map(|field| (field.json_name().to_owned(), self.described(&field)))
            .collect();
        let description = self.comments.of_message(message);
        json!({"type": "object", "description": description, "properties": properties})
    }

    /// A field with its comment.
    pub(super) fn described(&mut self, field: &FieldDescriptor) -> Json {
        let mut schema = self.field(field);
        let comment = self.comments.of_field(field);
        if let Some(schema) = schema.as_object_mut().filter(|_| !comment.is_empty()) {
            schema.insert("description".to_owned(), comment.into());
        }
        schema
    }

    fn field(&mut self, field: &FieldDescriptor) -> Json {
        if field.is_map() {
            let value = match field.kind() {
                Kind::Message(entry) => self.kind(&entry.map_entry_value_field().kind()),
                _ => json!({}),
            };
            return json!({"type": "object", "additionalProperties": value});
        }
        let one = self.kind(&field.kind());
        match field.is_list() {
            true => json!({"type": "array", "items": one}),
            false => one,
        }
    }

    /// One value, as `ProtoJSON` writes it.
    fn kind(&mut self, kind: &Kind) -> Json {
        match kind {
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Double => json!({"type": "number", "format": "double"}),
            Kind::Float => json!({"type": "number", "format": "float"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX})
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX})
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"})
            }
            Kind::Uint64 | Kind::Fixed64 => {
                json!({"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"})
            }
            Kind::Enum(kind) => self.one_of(kind),
            Kind::Message(message) => self.message(message),
        }
    }

    fn one_of(&mut self, kind: &EnumDescriptor) -> Json {
        if kind.full_name() == "google.protobuf.NullValue" {
            return json!({"type": "null"});
        }
        let name = kind.full_name().to_owned();
        let comments = self.comments;
        self.known.entry(name.clone()).or_insert_with(|| {
            let names: Vec<String> = kind.values().map(|value| value.name().to_owned()).collect();
            json!({"type": "string", "description": comments.of_enum(kind), "enum": names})
        });
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
}

/// The messages that JSON writes in a form of their own.
fn well_known(message: &MessageDescriptor) -> Option<Json> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    known::form(message)?;
    Some(match name {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"}),
        "FieldMask" | "StringValue" => json!({"type": "string"}),
        "BytesValue" => json!({"type": "string", "contentEncoding": "base64"}),
        "BoolValue" => json!({"type": "boolean"}),
        "DoubleValue" | "FloatValue" => json!({"type": "number"}),
        "Int32Value" | "UInt32Value" => json!({"type": "integer"}),
        "Int64Value" | "UInt64Value" => json!({"type": "string", "pattern": "^-?[0-9]{1,20}$"}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "Value" => json!({}),
        _ => json!({"type": "object", "additionalProperties": true}),
    })
}
