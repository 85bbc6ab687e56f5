//! Reads the rules of `google.api.http` from method options.

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, ReflectMessage, Value,
};

use crate::build::BuildError;
use crate::route::Route;
use crate::template;

/// One binding of a method, as it is written.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) http_method: String,
    pub(crate) pattern: String,
    pub(crate) body: String,
    pub(crate) response_body: String,
}

/// The extension `google.api.http`.
///
/// # Errors
/// [`BuildError::MissingFile`] when the pool has none.
pub(crate) fn extension(pool: &DescriptorPool) -> Result<ExtensionDescriptor, BuildError> {
    pool.get_extension_by_name("google.api.http")
        .ok_or(BuildError::MissingFile {
            file: "google/api/annotations.proto",
        })
}

/// The routes of `method`: none when it has no rule, else one for the rule and one for each of its `additional_bindings`.
pub(crate) fn routes(
    method: &MethodDescriptor,
    http: &ExtensionDescriptor,
) -> Vec<Result<Route, BuildError>> {
    let options = method.options();
    if !options.has_extension(http) {
        return Vec::new();
    }
    let value = options.get_extension(http);
    let Some(first) = value.as_message() else {
        return Vec::new();
    };
    let more = field(first, "additional_bindings");
    let more = more.as_ref().and_then(Value::as_list).unwrap_or_default();
    let nested = more.iter().filter_map(Value::as_message);
    let mut routes = vec![route(method, first)];
    for binding in nested {
        let deeper = field(binding, "additional_bindings");
        if deeper
            .as_ref()
            .and_then(Value::as_list)
            .is_some_and(|list| !list.is_empty())
        {
            routes.push(Err(wrong(
                method,
                "additional_bindings",
                "they nest one level deep only",
            )));
        }
        routes.push(route(method, binding));
    }
    routes
}

pub(crate) fn wrong(method: &MethodDescriptor, rule: &str, wrong: impl Into<String>) -> BuildError {
    let method = method.full_name().to_owned();
    BuildError::Rule {
        method,
        rule: rule.to_owned(),
        wrong: wrong.into(),
    }
}

fn route(method: &MethodDescriptor, rule: &DynamicMessage) -> Result<Route, BuildError> {
    let rule = read(rule).map_err(|text| wrong(method, "google.api.http", text))?;
    let template =
        template::parse(&rule.pattern).map_err(|text| wrong(method, &rule.pattern, text))?;
    Route::new(method.clone(), rule, template)
}

fn read(rule: &DynamicMessage) -> Result<Rule, String> {
    let body = text(rule, "body");
    let response_body = text(rule, "response_body");
    for verb in ["get", "put", "post", "delete", "patch"] {
        let pattern = text(rule, verb);
        if !pattern.is_empty() {
            return Ok(Rule {
                http_method: verb.to_uppercase(),
                pattern,
                body,
                response_body,
            });
        }
    }
    let custom = field(rule, "custom");
    let custom = custom
        .as_ref()
        .and_then(Value::as_message)
        .ok_or("the rule has no pattern")?;
    let (http_method, pattern) = (text(custom, "kind"), text(custom, "path"));
    if http_method.is_empty() {
        return Err("a custom pattern needs a kind".to_owned());
    }
    Ok(Rule {
        http_method,
        pattern,
        body,
        response_body,
    })
}

/// A field that is set.
fn field(message: &DynamicMessage, name: &str) -> Option<Value> {
    let field = message.descriptor().get_field_by_name(name)?;
    message
        .has_field(&field)
        .then(|| message.get_field(&field).into_owned())
}

fn text(message: &DynamicMessage, name: &str) -> String {
    field(message, name)
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
