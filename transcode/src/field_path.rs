//! Paths of fields, `a.b.c`, resolved against a message.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::known;

/// Deepest field that a path or query parameter can reach. It bounds the work of one parameter; contracts nest three deep.
pub(crate) const MAX_FIELD_DEPTH: usize = 16;

/// A field, and the messages on the way to it. Never empty.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    parents: Vec<FieldDescriptor>,
    pub(crate) field: FieldDescriptor,
}

impl FieldPath {
    /// Resolves `text`; each part may be the proto name or the JSON name.
    ///
    /// # Errors
    /// A sentence that says which part leads nowhere.
    pub(crate) fn resolve(message: &MessageDescriptor, text: &str) -> Result<Self, String> {
        let mut parents: Vec<FieldDescriptor> = Vec::new();
        let mut message = message.clone();
        let mut parts = text.split('.').peekable();
        while let Some(part) = parts.next() {
            let field = field(&message, part)?;
            if parts.peek().is_none() {
                return Ok(Self { parents, field });
            }
            message = descend(&field)?;
            parents.push(field);
            if parents.len() >= MAX_FIELD_DEPTH {
                return Err(format!("deeper than {MAX_FIELD_DEPTH} fields"));
            }
        }
        Err("an empty path".to_owned())
    }

    /// Resolves the field of a path variable, which must be one scalar or enum.
    ///
    /// # Errors
    /// As [`Self::resolve`], and when the field is repeated or a message.
    pub(crate) fn of_path_variable(
        message: &MessageDescriptor,
        text: &str,
    ) -> Result<Self, String> {
        let path = Self::resolve(message, text)?;
        if path.field.is_list() || matches!(path.field.kind(), Kind::Message(_)) {
            return Err(format!(
                "{text} is not one scalar, so no path variable can fill it"
            ));
        }
        Ok(path)
    }

    /// The path in proto names, as every violation writes it.
    pub(crate) fn name(&self) -> String {
        let parts: Vec<_> = self
            .parents
            .iter()
            .chain([&self.field])
            .map(FieldDescriptor::name)
            .collect();
        parts.join(".")
    }

    /// The first field of the path.
    pub(crate) fn root(&self) -> &FieldDescriptor {
        self.parents.first().unwrap_or(&self.field)
    }

    /// Sets the field, making the messages on the way. Returns the member of a oneof on the way that had to go for it, if there was one.
    pub(crate) fn set(
        &self,
        message: &mut DynamicMessage,
        value: Value,
    ) -> Option<FieldDescriptor> {
        let mut gone = None;
        let mut target = message;
        for parent in &self.parents {
            gone = gone.or_else(|| rival(target, parent));
            target = target.get_field_mut(parent).as_message_mut()?;
        }
        gone = gone.or_else(|| rival(target, &self.field));
        match (self.field.is_list(), target.get_field_mut(&self.field)) {
            (true, Value::List(values)) => values.push(value),
            (_, slot) => *slot = value,
        }
        gone
    }
}

/// Another member of the oneof of `field` that is set.
pub(crate) fn rival(message: &DynamicMessage, field: &FieldDescriptor) -> Option<FieldDescriptor> {
    let oneof = field.containing_oneof()?;
    let mut members = oneof.fields();
    members.find(|member| member != field && message.has_field(member))
}

/// A field by JSON name or proto name.
///
/// # Errors
/// A sentence that names what there is.
pub(crate) fn field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    message
        .get_field_by_json_name(name)
        .or_else(|| message.get_field_by_name(name))
        .ok_or_else(|| format!("unknown; {} has {}", message.name(), known::names(message)))
}

fn descend(field: &FieldDescriptor) -> Result<MessageDescriptor, String> {
    match field.kind() {
        Kind::Message(message) if !field.is_list() && !field.is_map() => {
            match known::form(&message) {
                None => Ok(message),
                Some(form) => Err(format!("{} is {form}, which has no parts", field.name())),
            }
        }
        _ => Err(format!(
            "{} is not one message, so it has no parts",
            field.name()
        )),
    }
}
