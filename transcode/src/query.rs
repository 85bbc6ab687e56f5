//! Query parameters to fields.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use crate::field_path::FieldPath;
use crate::known::quote;
use crate::percent::{self, Keep};
use crate::route::{Body, Route};
use crate::scalar;
use crate::violations::Violations;

/// Most query parameters of one request, repeated ones counted each. A list of ids beyond this belongs into a body.
pub(crate) const MAX_PARAMETERS: usize = 256;

/// Sets the fields that `query` names. A parameter that names no free field is a violation under the name as it came.
pub(crate) fn apply(
    route: &Route,
    query: &str,
    message: &mut DynamicMessage,
    out: &mut Violations,
) {
    let parameters: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    if parameters.len() > MAX_PARAMETERS {
        out.add(
            "query",
            format!("has more than {MAX_PARAMETERS} parameters"),
        );
        return;
    }
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let decode = |text| percent::decode(text, Keep::PlusIsSpace);
        let (Ok(name), Ok(value)) = (decode(name), decode(value)) else {
            out.add(quote(name), "is not percent-encoded UTF-8");
            continue;
        };
        let path = match target(route, &name) {
            Ok(path) => path,
            Err(text) => {
                out.add(quote(&name), text);
                continue;
            }
        };
        let again = seen.insert(path.name(), ()).is_some();
        if again && !path.field.is_list() {
            out.add(path.name(), "is given twice");
            continue;
        }
        set(&path, &value, message, out);
    }
}

fn set(path: &FieldPath, text: &str, message: &mut DynamicMessage, out: &mut Violations) {
    match scalar::from_text(&path.field.kind(), text) {
        Ok(value) => {
            if let Some(rival) = path.set(message, value) {
                out.add(
                    path.name(),
                    format!(
                        "excludes {}, which is also set; send one of them",
                        rival.name()
                    ),
                );
            }
        }
        Err(text) => out.add(path.name(), text),
    }
}

/// The field of a parameter, when it is free: not taken from the path, not part of the body.
fn target(route: &Route, name: &str) -> Result<FieldPath, String> {
    if route.body == Body::Whole {
        return Err(
            "is not a query parameter: this method takes every field from the body".to_owned(),
        );
    }
    let path = FieldPath::resolve(&route.method.input(), name)
        .map_err(|text| format!("is not a query parameter: {text}"))?;
    if route.variables.contains(&path) {
        return Err("is taken from the path, not from the query".to_owned());
    }
    if matches!(&route.body, Body::Field(field) if field == path.root()) {
        return Err("is the body, not a query parameter".to_owned());
    }
    if path.field.is_map() {
        return Err("is a map, which no query parameter can hold".to_owned());
    }
    Ok(path)
}

/// Sets the fields of the path variables, over whatever the body said.
pub(crate) fn apply_captures(
    route: &Route,
    captures: &[String],
    message: &mut DynamicMessage,
    out: &mut Violations,
) {
    let variables = route.variables.iter().zip(&route.template.variables);
    for ((path, variable), raw) in variables.zip(captures) {
        let keep = if route.template.is_multi(variable) {
            Keep::Slash
        } else {
            Keep::Nothing
        };
        let Ok(text) = percent::decode(raw, keep) else {
            out.add(path.name(), "is not percent-encoded UTF-8");
            continue;
        };
        match scalar::from_text(&path.field.kind(), &text) {
            Ok(value) => {
                path.set(message, value);
            }
            Err(text) => out.add(path.name(), text),
        }
    }
}

/// The field that `Idempotency-Key` fills.
pub(crate) const REQUEST_ID: &str = "request_id";

/// Longest `Idempotency-Key`, in bytes; a UUID has 36.
pub(crate) const MAX_IDEMPOTENCY_KEY: usize = 255;

/// Fills `request_id` from the header, where the request has that field and nobody filled it. The key may stand in double quotes, as the
/// IETF draft writes it.
pub(crate) fn apply_idempotency_key(key: &str, message: &mut DynamicMessage, out: &mut Violations) {
    let Some(field) = message.descriptor().get_field_by_name(REQUEST_ID) else {
        return;
    };
    if field.kind() != prost_reflect::Kind::String || field.is_list() || message.has_field(&field) {
        return;
    }
    let bare = key
        .strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(key);
    if bare.len() > MAX_IDEMPOTENCY_KEY {
        out.add(
            REQUEST_ID,
            format!("(Idempotency-Key) is longer than {MAX_IDEMPOTENCY_KEY} bytes"),
        );
        return;
    }
    message.set_field(&field, Value::String(bare.to_owned()));
}
