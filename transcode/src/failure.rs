//! A refusal that no service made: the request did not get that far.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use prost_types::Any;

use crate::code::Code;
use crate::rpc::{BadRequest, ErrorInfo, FieldViolation, RetryInfo, Status, any};
use crate::violations::{Violation, Violations};

/// Domain of every `ErrorInfo` that this crate writes, the same as that of the services behind it.
pub const DOMAIN: &str = "usher";

/// An error of the door, written in the same shape as those of the services.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure(Box<Parts>);

/// Boxed: results with a failure stay small.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    code: Code,
    http: StatusCode,
    reason: String,
    message: String,
    metadata: BTreeMap<String, String>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    allow: Option<String>,
}

impl Failure {
    /// A failure with the HTTP status that belongs to `code`. `reason` is UPPER_SNAKE, `message` one English sentence for a developer.
    pub fn new(code: Code, reason: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            http: code.http(),
            reason: reason.to_owned(),
            message: message.into(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after: None,
            allow: None,
        }))
    }

    /// 404 ROUTE_NOT_FOUND.
    pub fn route_not_found() -> Self {
        Self::new(
            Code::NotFound,
            "ROUTE_NOT_FOUND",
            "No method has this path.",
        )
    }

    /// 405 METHOD_NOT_ALLOWED with the header `Allow`.
    pub fn method_not_allowed<'a>(allow: impl IntoIterator<Item = &'a str>) -> Self {
        let allow = allow.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("This path accepts {allow}.");
        let mut failure = Self::new(Code::Unimplemented, "METHOD_NOT_ALLOWED", message)
            .http(StatusCode::METHOD_NOT_ALLOWED);
        failure.0.allow = Some(allow);
        failure
    }

    /// 413 BODY_TOO_LARGE.
    pub fn body_too_large(limit_bytes: usize) -> Self {
        let message =
            format!("The body is larger than {limit_bytes} bytes, the limit of this method.");
        Self::new(Code::InvalidArgument, "BODY_TOO_LARGE", message)
            .http(StatusCode::PAYLOAD_TOO_LARGE)
            .with("max_request_bytes", limit_bytes.to_string())
    }

    /// 415 UNSUPPORTED_MEDIA_TYPE.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, "UNSUPPORTED_MEDIA_TYPE", message)
            .http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    }

    /// 400 INVALID_REQUEST with every violation.
    pub(crate) fn invalid(violations: Violations) -> Self {
        let Violations { listed, left_out } = violations;
        let first = listed
            .first()
            .map(|first| format!("{} {}", first.field, first.description));
        let more = listed.len().saturating_sub(1) + left_out;
        let mut message = first.unwrap_or_default();
        if more > 0 {
            message.push_str(&format!(" (and {more} more)"));
        }
        let mut failure = Self::new(Code::InvalidArgument, "INVALID_REQUEST", message);
        failure.0.violations = listed;
        failure
    }

    /// Another HTTP status than the one of the code, where HTTP has a word of its own for what happened.
    #[must_use]
    pub fn http(mut self, http: StatusCode) -> Self {
        self.0.http = http;
        self
    }

    /// Adds a pair to the metadata of `ErrorInfo`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Adds `RetryInfo`, which also becomes `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Its HTTP status.
    pub fn http_status(&self) -> StatusCode {
        self.0.http
    }

    /// Its reason, UPPER_SNAKE.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Its message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The header `Allow` of a METHOD_NOT_ALLOWED.
    pub(crate) fn allow(&self) -> Option<&str> {
        self.0.allow.as_deref()
    }

    /// What is wrong with the request, field by field; empty for other reasons than INVALID_REQUEST.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    pub(crate) fn status(&self) -> Status {
        let info = ErrorInfo {
            reason: self.0.reason.clone(),
            domain: DOMAIN.to_owned(),
            metadata: self.0.metadata.clone(),
        };
        let mut details: Vec<Any> = vec![any("ErrorInfo", &info)];
        if !self.0.violations.is_empty() {
            let violations = self.0.violations.iter().cloned();
            let field_violations = violations
                .map(|Violation { field, description }| FieldViolation { field, description })
                .collect();
            details.push(any("BadRequest", &BadRequest { field_violations }));
        }
        if let Some(delay) = self.0.retry_after {
            let retry_delay = prost_types::Duration::try_from(delay).ok();
            details.push(any("RetryInfo", &RetryInfo { retry_delay }));
        }
        Status {
            code: self.0.code.number(),
            message: self.0.message.clone(),
            details,
        }
    }
}
