//! Bytes to a JSON tree, bounded in depth, without duplicate names, without anything behind it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

/// Deepest nesting of arrays and objects in a request body. Contracts nest less than ten deep; recursion of the readers is what it bounds
/// (`serde_json` itself stops at 128, protobuf decoders at 100).
pub const MAX_JSON_DEPTH: usize = 64;

/// Reads one JSON value.
///
/// # Errors
/// What is wrong, with line and column: malformed, too deep, a name that stands twice in an object, text behind the value.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let json = Strict { depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(json)
}

/// Reads a value that lies `depth` arrays and objects deep.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_JSON_DEPTH {
            return Err(E::custom(format_args!(
                "nested deeper than {MAX_JSON_DEPTH}"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if fields.contains_key(&name) {
                let name = crate::known::quote(&name);
                return Err(A::Error::custom(format_args!(
                    "the name {name:?} stands twice"
                )));
            }
            let value = map.next_value_seed(inner)?;
            fields.insert(name, value);
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_JSON_DEPTH, parse};

    #[test]
    fn refuses_with_a_position() {
        let cases = [
            (
                "{\"a\":1,\n\"a\":2}",
                "the name \"a\" stands twice at line 2 column 3",
            ),
            ("{} {}", "trailing characters at line 1 column 4"),
            ("{\"a\":", "EOF while parsing a value at line 1 column 5"),
            ("", "EOF while parsing a value at line 1 column 0"),
            ("[1e999]", "number out of range at line 1 column 6"),
        ];
        for (text, wanted) in cases {
            assert_eq!(
                parse(text.as_bytes()).unwrap_err().to_string(),
                wanted,
                "{text}"
            );
        }
    }

    #[test]
    fn bounds_the_depth() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_JSON_DEPTH).as_bytes()).is_ok());
        let error = parse(nested(MAX_JSON_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(
            error.to_string().starts_with("nested deeper than 64"),
            "{error}"
        );
    }
}
