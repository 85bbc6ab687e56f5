//! A streamed answer as HTTP. Each form has an explicit end, so that a reader can tell a whole answer from one that broke off.
//!
//! | form | message | error, last | end |
//! |---|---|---|---|
//! | [`Framing::Array`] | an element | an element `{"error": google.rpc.Status}`, then `]` | `]` |
//! | [`Framing::Lines`] | `{"result": ...}` and a line feed | `{"error": google.rpc.Status}` | `{"end": {}}` |
//! | [`Framing::Events`] | an event without a name | the event `error` with `{"error": google.rpc.Status}` | the event `end` with `{}` |
//!
//! A browser's `EventSource` connects again after any end, and hears `error` where it hears of lost connections, too; those have no data.

use bytes::Bytes;

use crate::response::JSON_TYPE;

/// How the messages of a stream stand in one HTTP body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `application/json`: one array. What a caller without preference gets.
    Array,
    /// `application/x-ndjson`: a JSON text a line.
    Lines,
    /// `text/event-stream`: server-sent events (WHATWG HTML, 9.2).
    Events,
}

/// Every form, and the media types that ask for it; the first is the one that is answered.
const FORMS: [(Framing, &[&str]); 3] = [
    (Framing::Array, &[JSON_TYPE]),
    (
        Framing::Lines,
        &["application/x-ndjson", "application/jsonl"],
    ),
    (Framing::Events, &["text/event-stream"]),
];

/// How well a range of `Accept` fits a form: quality in thousandths, then exactness, then whoever stands first.
type Fit = (u16, u8, std::cmp::Reverse<usize>);

impl Framing {
    /// The form that `accept`, the whole value of the header, prefers (RFC 9110, 12.5.1). `None` when it takes none of them.
    pub fn accepted(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
            return Some(Self::Array);
        };
        let fits = FORMS
            .iter()
            .filter_map(|(form, types)| Some((fit(accept, types)?, *form)));
        // The first of equals: a range such as `*/*` means the array.
        let best = fits.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        Some(best.1)
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Array => JSON_TYPE,
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    /// A message; `first` when nothing came before it.
    pub fn message(self, json: &[u8], first: bool) -> Bytes {
        match self {
            Self::Array => element(json, first, b""),
            Self::Lines => [b"{\"result\":", json, b"}\n"].concat().into(),
            Self::Events => [b"data: ", json, b"\n\n"].concat().into(),
        }
    }

    /// The end of a stream that ran to its end; `first` when it had no message.
    pub fn end(self, first: bool) -> Bytes {
        Bytes::from_static(match self {
            Self::Array if first => b"[]\n",
            Self::Array => b"\n]\n",
            Self::Lines => b"{\"end\":{}}\n",
            Self::Events => b"event: end\ndata: {}\n\n",
        })
    }

    /// The end of a stream that broke off. `error` is the body of [`crate::ErrorWriter`].
    pub fn error(self, error: &[u8], first: bool) -> Bytes {
        match self {
            Self::Array => element(error, first, b"\n]\n"),
            Self::Lines => [error, b"\n"].concat().into(),
            Self::Events => [b"event: error\ndata: ", error, b"\n\n"].concat().into(),
        }
    }

    /// What is sent while there is nothing to say, where the form has something that readers skip: proxies close quiet connections.
    pub fn keep_alive(self) -> Option<Bytes> {
        match self {
            Self::Array | Self::Lines => None,
            Self::Events => Some(Bytes::from_static(b": keep-alive\n\n")),
        }
    }
}

fn element(json: &[u8], first: bool, after: &[u8]) -> Bytes {
    let before: &[u8] = if first { b"[\n" } else { b",\n" };
    [before, json, after].concat().into()
}

/// The best fit of any of `types`; the most exact range that names a type decides about it, also when it refuses it.
fn fit(accept: &str, types: &[&str]) -> Option<Fit> {
    let best = |wanted: &&str| {
        let ranges = accept.split(',').enumerate();
        let named = ranges.filter_map(|(at, range)| read(range, wanted, at));
        named.max_by_key(|(_, exactness, at)| (*exactness, *at))
    };
    let fits = types.iter().filter_map(best);
    fits.filter(|(quality, ..)| *quality > 0).max()
}

/// How a range fits a type; `None` when it does not speak of it.
fn read(range: &str, wanted: &str, at: usize) -> Option<Fit> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let exactness = match name.strip_suffix("/*") {
        Some("*") => 0,
        Some(family) if wanted.split_once('/').is_some_and(|(own, _)| own == family) => 1,
        None if name == wanted => 2,
        Some(_) | None => return None,
    };
    let mut weights = parts.filter_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let quality = weights.next().map_or(Some(1000), thousandths)?;
    Some((quality, exactness, std::cmp::Reverse(at)))
}

/// `0.5` as 500; at most three decimals. A weight that is none makes its range void.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = digits.then(|| format!("{decimals:0<3}"))?;
    match whole {
        "0" => decimals.parse().ok(),
        "1" if decimals == "000" => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_is_picked() {
        let cases = [
            (None, Some(Framing::Array)),
            (Some(""), Some(Framing::Array)),
            (Some("*/*"), Some(Framing::Array)),
            (Some("application/*"), Some(Framing::Array)),
            (Some("text/*"), Some(Framing::Events)),
            (Some("text/event-stream"), Some(Framing::Events)),
            (
                Some("TEXT/Event-Stream; charset=utf-8"),
                Some(Framing::Events),
            ),
            (Some("text/event-stream, */*"), Some(Framing::Events)),
            (Some("application/jsonl"), Some(Framing::Lines)),
            (
                Some("application/json;q=0.2, application/x-ndjson;q=0.3"),
                Some(Framing::Lines),
            ),
            (
                Some("application/x-ndjson, application/json"),
                Some(Framing::Lines),
            ),
            (
                Some("application/json;q=0, */*;q=0.1"),
                Some(Framing::Lines),
            ),
            (
                Some("text/html, application/xhtml+xml, */*;q=0.8"),
                Some(Framing::Array),
            ),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("application/json;q=2"), None),
            (Some("application/json;q=0.1234"), None),
            (Some(",;,"), None),
        ];
        for (accept, form) in cases {
            assert_eq!(Framing::accepted(accept), form, "{accept:?}");
        }
    }

    /// The whole text of a stream with these messages and, where it broke off, this error.
    fn told(form: Framing, messages: &[&str], error: Option<&str>) -> String {
        let mut text = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            text.extend(form.message(message.as_bytes(), at == 0));
        }
        let first = messages.is_empty();
        text.extend(match error {
            Some(error) => form.error(error.as_bytes(), first),
            None => form.end(first),
        });
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn an_array_is_one_json_text_however_it_ends() {
        let error = r#"{"error":{"code":14}}"#;
        for (messages, error, elements) in [
            (&[][..], None, 0),
            (&[r#"{"a":1}"#][..], None, 1),
            (&[r#"{"a":1}"#, "{}"][..], Some(error), 3),
            (&[][..], Some(error), 1),
        ] {
            let text = told(Framing::Array, messages, error);
            let read: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(read.len(), elements, "{text}");
        }
    }

    #[test]
    fn lines_and_events_name_their_end() {
        let lines = told(Framing::Lines, &["{}", "1"], None);
        assert_eq!(lines, "{\"result\":{}}\n{\"result\":1}\n{\"end\":{}}\n");
        let lines = told(Framing::Lines, &[], Some("{\"error\":1}"));
        assert_eq!(lines, "{\"error\":1}\n");
        let events = told(Framing::Events, &["{}"], Some("{\"error\":1}"));
        assert_eq!(events, "data: {}\n\nevent: error\ndata: {\"error\":1}\n\n");
        let events = told(Framing::Events, &[], None);
        assert_eq!(events, "event: end\ndata: {}\n\n");
    }
}
