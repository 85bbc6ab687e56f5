//! How much time a call has: what the caller asks for, capped by the method's policy.

use std::time::Duration;

use http::HeaderMap;
use mesh::server::parse_timeout;
use transcode::{Code, Failure};

/// The header of gRPC: at most eight digits and a unit, `250m`.
const GRPC_TIMEOUT: &str = "grpc-timeout";
/// The header for people: seconds, `2` or `0.5`, or with a unit, `250ms`.
const REQUEST_TIMEOUT: &str = "x-request-timeout";

/// Reads the value of a header.
type Read = fn(&str) -> Option<Duration>;

/// Time for the call: the shorter of what `headers` ask for and `cap`.
///
/// # Errors
/// INVALID_REQUEST for a header that is not a time: a caller that wrote one relies on it.
pub(crate) fn budget(headers: &HeaderMap, cap: Duration) -> Result<Duration, Failure> {
    let mut budget = cap;
    let readers: [(&str, Read); 2] = [(GRPC_TIMEOUT, parse_timeout), (REQUEST_TIMEOUT, plain)];
    for (name, read) in readers {
        if let Some(value) = headers.get(name) {
            let asked = value
                .to_str()
                .ok()
                .and_then(read)
                .filter(|asked| !asked.is_zero());
            let asked = asked.ok_or_else(|| {
                let message = format!("The header {name} is not a time, such as 250m for {GRPC_TIMEOUT} or 2 for {REQUEST_TIMEOUT}.");
                Failure::new(Code::InvalidArgument, "INVALID_REQUEST", message).with("header", name)
            })?;
            budget = budget.min(asked);
        }
    }
    Ok(budget)
}

fn plain(text: &str) -> Option<Duration> {
    if let Some(digits) = text.strip_suffix("ms") {
        return whole(digits).map(Duration::from_millis);
    }
    let text = text.strip_suffix('s').unwrap_or(text);
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn whole(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let cases = [
            ("1S", Some(1000)),
            ("250m", Some(250)),
            ("2H", Some(7_200_000)),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("123456789S", None),
            ("1x", None),
            ("1é", None),
        ];
        for (text, millis) in cases {
            assert_eq!(
                parse_timeout(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
        let cases = [
            ("2", Some(2000)),
            ("0.5", Some(500)),
            ("3s", Some(3000)),
            ("250ms", Some(250)),
            ("", None),
            ("-1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("soon", None),
            ("+1", None),
        ];
        for (text, millis) in cases {
            assert_eq!(plain(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn the_shortest_wins_and_nonsense_is_refused() {
        let budget = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| ((*name).parse().unwrap(), (*value).parse().unwrap()));
            budget(&headers.collect(), Duration::from_secs(2))
        };
        assert_eq!(budget(&[]), Ok(Duration::from_secs(2)));
        assert_eq!(
            budget(&[("x-request-timeout", "60")]),
            Ok(Duration::from_secs(2))
        );
        assert_eq!(
            budget(&[("x-request-timeout", "1"), ("grpc-timeout", "500m")]),
            Ok(Duration::from_millis(500))
        );
        for (name, value) in [
            ("x-request-timeout", "soon"),
            ("x-request-timeout", "0"),
            ("grpc-timeout", "1"),
        ] {
            assert!(budget(&[(name, value)]).is_err(), "{name}: {value}");
        }
    }
}
