//! Properties over random input.

use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use transcode::{Miss, Request, Router};

use crate::fixture::{POOL, ROUTER, compile, json, json_body};

/// A template over a small alphabet, so that paths often fit several.
fn template() -> impl Strategy<Value = String> {
    let segment = prop_oneof![4 => "[ab]", 3 => Just("*".to_owned()), 2 => Just("**".to_owned())];
    (
        prop::collection::vec(segment, 1..5),
        prop::option::of("[xy]"),
    )
        .prop_filter_map("one `**`", |(segments, verb)| {
            let rests = segments.iter().filter(|segment| *segment == "**").count();
            let verb = verb.map(|verb| format!(":{verb}")).unwrap_or_default();
            (rests <= 1).then(|| format!("/{}{verb}", segments.join("/")))
        })
}

fn path() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec("[abc]?", 0..6);
    (segments, prop::option::of("[xyz]")).prop_map(|(segments, verb)| {
        let verb = verb.map(|verb| format!(":{verb}")).unwrap_or_default();
        format!("/{}{verb}", segments.join("/"))
    })
}

/// Whether segments fit, by trying every length of `**`.
fn fits(template: &[&str], path: &[&str]) -> bool {
    match (template.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|taken| fits(rest, &path[taken..])),
        (Some((&"*", rest)), Some((found, path))) => !found.is_empty() && fits(rest, path),
        (Some((literal, rest)), Some((found, path))) => literal == found && fits(rest, path),
        _ => false,
    }
}

/// Precedence as the documentation of the router words it; smaller is more exact.
fn rank(template: &[&str]) -> Vec<usize> {
    let mut rank = Vec::new();
    for (at, segment) in template.iter().enumerate() {
        match *segment {
            "**" => rank.extend([3, 100 - (template.len() - at)]),
            "*" => rank.push(2),
            literal => rank.extend([1, usize::from(literal.as_bytes()[0])]),
        }
    }
    rank
}

fn split<'t>(text: &'t str, verb: Option<&str>) -> Option<Vec<&'t str>> {
    let text = match verb {
        Some(verb) => text.strip_suffix(verb)?.strip_suffix(':')?,
        None => text,
    };
    let text = text.strip_prefix('/')?;
    Some(if text.is_empty() {
        Vec::new()
    } else {
        text.split('/').collect()
    })
}

/// The pattern that should be found, and the methods that fit the path.
fn naive<'t>(
    templates: &'t [(String, &str)],
    method: &str,
    path: &str,
) -> (Option<&'t str>, Vec<&'t str>) {
    let mut fitting: Vec<_> = templates
        .iter()
        .filter_map(|(template, method)| {
            let verb = template.rsplit_once(':').map(|(_, verb)| verb);
            let segments = split(template, verb)?;
            let path = split(path, verb)?;
            fits(&segments, &path).then(|| {
                (
                    (verb.is_none(), rank(&segments)),
                    template.as_str(),
                    *method,
                )
            })
        })
        .collect();
    fitting.sort();
    let mut methods: Vec<_> = fitting.iter().map(|fit| fit.2).collect();
    methods.sort_unstable();
    methods.dedup();
    (
        fitting.iter().find(|fit| fit.2 == method).map(|fit| fit.1),
        methods.into_iter().map(leak).collect(),
    )
}

fn leak(text: &str) -> &'static str {
    if text == "GET" { "GET" } else { "POST" }
}

fn router(templates: &[(String, &str)]) -> Router {
    let methods: String = templates
        .iter()
        .enumerate()
        .map(|(at, (template, method))| {
            let method = method.to_lowercase();
            format!("rpc M{at}(In) returns (In) {{ option (google.api.http) = {{ {method}: \"{template}\" }}; }}\n")
        })
        .collect();
    let source = format!(
        "syntax = \"proto3\"; package t.v1; import \"google/api/annotations.proto\"; message In {{}} service S {{ {methods} }}"
    );
    Router::build(&compile(&source).unwrap(), |_| true).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_router_finds_what_a_naive_matcher_finds(
        templates in prop::collection::btree_set((template(), prop::sample::select(vec!["GET", "POST"])), 1..24),
        paths in prop::collection::vec(path(), 64),
    ) {
        let templates: Vec<_> = templates.into_iter().collect();
        let router = router(&templates);
        for path in &paths {
            let (wanted, allow) = naive(&templates, "GET", path);
            match router.find("GET", path) {
                Ok(found) => prop_assert_eq!(Some(found.route.pattern()), wanted, "{}", path),
                Err(Miss::UnknownPath) => prop_assert_eq!((wanted, allow.len()), (None, 0), "{}", path),
                Err(Miss::WrongMethod { allow: found }) => {
                    prop_assert_eq!(wanted, None, "{}", path);
                    prop_assert_eq!(found.into_iter().collect::<Vec<_>>(), allow, "{}", path);
                }
            }
        }
    }
}

/// A random value of a kind; messages nest at most `depth` deep.
fn value(kind: &Kind, depth: usize) -> BoxedStrategy<Value> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int32 => any::<i32>().prop_map(Value::I32).boxed(),
        Kind::Int64 => any::<i64>().prop_map(Value::I64).boxed(),
        Kind::Uint32 => any::<u32>().prop_map(Value::U32).boxed(),
        Kind::Uint64 => any::<u64>().prop_map(Value::U64).boxed(),
        Kind::Double => (-1e300..1e300).prop_map(Value::F64).boxed(),
        Kind::Float => (-1e30_f32..1e30).prop_map(Value::F32).boxed(),
        Kind::String => ".{0,8}".prop_map(Value::String).boxed(),
        Kind::Bytes => prop::collection::vec(any::<u8>(), 0..8)
            .prop_map(|bytes| Value::Bytes(bytes.into()))
            .boxed(),
        Kind::Enum(names) if names.full_name() == "google.protobuf.NullValue" => {
            Just(Value::EnumNumber(0)).boxed()
        }
        Kind::Enum(_) => (-3..9).prop_map(Value::EnumNumber).boxed(),
        Kind::Message(message) => message_of(message, depth).prop_map(Value::Message).boxed(),
        other => panic!("the fixture has no {other:?}"),
    }
}

fn message_of(descriptor: &MessageDescriptor, depth: usize) -> BoxedStrategy<DynamicMessage> {
    let descriptor = descriptor.clone();
    let with = |number, value| (number, value);
    let fields: Vec<BoxedStrategy<Option<(u32, Value)>>> = match descriptor.full_name() {
        "google.protobuf.Timestamp" => vec![
            (0..253_402_300_799_i64)
                .prop_map(move |v| Some(with(1, Value::I64(v))))
                .boxed(),
            (0..1_000_000_000)
                .prop_map(move |v| Some(with(2, Value::I32(v))))
                .boxed(),
        ],
        "google.protobuf.Duration" => vec![
            (-9999..9999_i64)
                .prop_map(move |v| Some(with(1, Value::I64(v))))
                .boxed(),
        ],
        "google.protobuf.FieldMask" => vec![],
        // These hold arbitrary JSON; the tables of body.rs cover them.
        "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.Any" => {
            return any::<bool>().prop_map(move |_| known(&descriptor)).boxed();
        }
        _ => descriptor
            .fields()
            .filter(|field| depth > 0 || !matches!(field.kind(), Kind::Message(_)))
            .map(|field| {
                let kind = field.kind();
                let one = if field.is_map() {
                    let (key, inner) = (
                        kind.as_message().unwrap().map_entry_key_field().kind(),
                        kind.as_message().unwrap().map_entry_value_field().kind(),
                    );
                    let keys = value(&key, 0).prop_map(|key| key.into_map_key().unwrap());
                    prop::collection::hash_map(keys, value(&inner, depth - 1), 0..3)
                        .prop_map(Value::Map)
                        .boxed()
                } else if field.is_list() {
                    prop::collection::vec(value(&kind, depth.saturating_sub(1)), 0..3)
                        .prop_map(Value::List)
                        .boxed()
                } else {
                    value(&kind, depth.saturating_sub(1))
                };
                let number = field.number();
                prop::option::of(one)
                    .prop_map(move |value| value.map(|value| (number, value)))
                    .boxed()
            })
            .collect(),
    };
    fields
        .prop_map(move |fields| {
            let mut message = DynamicMessage::new(descriptor.clone());
            for (number, value) in fields.into_iter().flatten() {
                message.set_field_by_number(number, value);
            }
            message
        })
        .boxed()
}

fn known(descriptor: &MessageDescriptor) -> DynamicMessage {
    let json = match descriptor.name() {
        "Struct" => serde_json::json!({"k": [1.5, null, "x", {"y": true}]}),
        "Value" => serde_json::json!("text"),
        _ => serde_json::json!({"@type": "type.googleapis.com/test.v1.Inner", "amount": "3"}),
    };
    DynamicMessage::deserialize(descriptor.clone(), json).unwrap()
}

/// An encoded message. Bytes, because `Debug` of a recursive descriptor never ends.
fn thing() -> impl Strategy<Value = Vec<u8>> {
    message_of(&descriptor(), 3).prop_map(|message| message.encode_to_vec())
}

fn descriptor() -> MessageDescriptor {
    POOL.get_message_by_name("test.v1.Thing").unwrap()
}

fn read(text: &str) -> Result<DynamicMessage, TestCaseError> {
    let create = ROUTER.find("POST", "/v1/things").unwrap();
    let read = create.message(&json_body(text));
    read.map_err(|failure| TestCaseError::fail(failure.message().to_owned()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn json_out_and_in_gives_the_same_message(bytes in thing()) {
        let written = ROUTER.find("PUT", "/v1/things/x").unwrap().route.response(&bytes).unwrap();
        let text = std::str::from_utf8(written.body()).unwrap();
        let message = DynamicMessage::decode(descriptor(), bytes.as_slice()).unwrap();
        prop_assert_eq!(json(&read(text)?), json(&message), "{}", text);
    }

    #[test]
    fn what_prost_reflect_reads_we_read_alike(bytes in thing()) {
        let message = DynamicMessage::decode(descriptor(), bytes.as_slice()).unwrap();
        let text = serde_json::to_string(&message).unwrap();
        let mut reader = serde_json::Deserializer::from_str(&text);
        let theirs = DynamicMessage::deserialize(descriptor(), &mut reader).unwrap();
        prop_assert_eq!(json(&read(&text)?), json(&theirs), "{}", text);
    }

    #[test]
    fn no_body_and_no_query_panics(body in ".{0,64}", query in "[a-z_.=&%0-9+]{0,64}") {
        for (method, path) in [("POST", "/v1/things"), ("PATCH", "/v1/things/7"), ("POST", "/v1/things/7:tag")] {
            let found = ROUTER.find(method, path).unwrap();
            let _ = found.message(&Request { query: Some(&query), ..json_body(&body) });
        }
        let _ = ROUTER.find("GET", &format!("/{query}"));
    }
}
