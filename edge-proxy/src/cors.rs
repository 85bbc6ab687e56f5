//! Which pages a browser lets call (CORS, WHATWG Fetch 3.2). Tokens travel in a header, never in cookies, so credentials stay forbidden.

use std::str::FromStr;
use std::time::Duration;

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Uri};
use mesh::server::REQUEST_ID;
use mesh::trace::TRACEPARENT;
use thiserror::Error;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember the answer to its question: as long as Chrome would remember at most 2 h, and a change is seen soon.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Methods of `google.api.http`.
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// Origins of pages that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Option<Vec<HeaderValue>>);

/// A text that is no list of origins.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no origin such as https://a.example or http://localhost:3000, nor * alone")]
pub struct NotOrigins(String);

impl FromStr for Origins {
    type Err = NotOrigins;

    fn from_str(text: &str) -> Result<Self, NotOrigins> {
        if text.trim() == "*" {
            return Ok(Self(None));
        }
        let origins = text.split(',').map(str::trim);
        let origins = origins.map(|part| origin(part).ok_or_else(|| NotOrigins(part.to_owned())));
        Ok(Self(Some(origins.collect::<Result<_, _>>()?)))
    }
}

/// Scheme, host and port as browsers write them, nothing else: a page's address never matches.
fn origin(text: &str) -> Option<HeaderValue> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let plain = ["http", "https"].contains(&scheme) && format!("{scheme}://{authority}") == text;
    // Browsers leave out the port that goes without saying.
    let default =
        [("http", 80), ("https", 443)].contains(&(scheme, authority.port_u16().unwrap_or(0)));
    let known =
        plain && !default && !authority.as_str().contains('@') && text == text.to_lowercase();
    known.then(|| HeaderValue::from_str(text).ok())?
}

impl Origins {
    /// What answers the questions of browsers.
    pub(crate) fn layer(self) -> CorsLayer {
        let origins = self.0.map_or_else(AllowOrigin::any, AllowOrigin::list);
        let sent = [
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("grpc-timeout"),
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("usher-queue-pass"),
            HeaderName::from_static("x-request-timeout"),
            HeaderName::from_static(REQUEST_ID),
            HeaderName::from_static(TRACEPARENT),
        ];
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(METHODS)
            .allow_headers(sent)
            .expose_headers([
                ALLOW,
                RETRY_AFTER,
                WWW_AUTHENTICATE,
                HeaderName::from_static(REQUEST_ID),
            ])
            .max_age(MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use super::{NotOrigins, Origins};

    #[test]
    fn origins_are_read() {
        let read: Origins = "https://a.example, http://localhost:3000".parse().unwrap();
        assert_eq!(read.0.unwrap().len(), 2);
        assert_eq!("*".parse(), Ok(Origins(None)));
        for wrong in [
            "",
            "a.example",
            "https://a.example/",
            "https://a.example/page",
            "https://A.example",
            "https://me@a.example",
            "ftp://a.example",
            "https://a.example:443",
            "*,https://a.example",
            "https://a.example,",
        ] {
            let refused = wrong.parse::<Origins>();
            assert!(matches!(refused, Err(NotOrigins(_))), "{wrong}");
        }
    }
}
