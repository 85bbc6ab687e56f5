//! How a refusal leaves the process: a gRPC status with typed details.
//!
//! A service declares each reason as a [`Reason`] constant; `docs/ERRORS.md` is generated from those tables. [`Refusal`] builds the
//! status. Internal text never leaves: [`internal`] logs it and answers a constant.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use tracing::error;

/// Domain of every ErrorInfo.
pub const DOMAIN: &str = "usher";

/// Violations listed in one answer: enough to mend a form, few enough for the 8 KiB of headers that proxies allow.
pub const VIOLATIONS_MAX: usize = 32;

/// Bytes of PreconditionFailure in one answer. Base64 makes 6,700 of 5,000, which leaves room for the message, which travels twice, in the
/// 8 KiB of headers that proxies allow. What every line of the largest hold is refused for takes 4,000.
const PRECONDITIONS_BYTES_MAX: usize = 5_000;
/// Bytes of one violation beside its texts: tags and lengths.
const PRECONDITION_BYTES: usize = 12;

/// Key in the metadata of ErrorInfo: violations that are not listed, as the answer would be too large.
pub const UNLISTED: &str = "unlisted";

/// One row of `docs/ERRORS.md`.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// UPPER_SNAKE name, the `reason` of ErrorInfo.
    pub name: &'static str,
    /// gRPC code it travels with.
    pub code: Code,
    /// What happened and what the caller should do.
    pub meaning: &'static str,
}

impl Reason {
    /// Declares a reason.
    #[must_use]
    pub const fn new(name: &'static str, code: Code, meaning: &'static str) -> Self {
        Self {
            name,
            code,
            meaning,
        }
    }

    /// Starts a refusal with this reason.
    pub fn refuse(&'static self, message: impl Into<String>) -> Refusal {
        let mut details = ErrorDetails::new();
        details.set_error_info(self.name, DOMAIN, std::collections::HashMap::new());
        Refusal {
            reason: self,
            message: message.into(),
            details: Box::new(details),
            preconditions_bytes: 0,
            unlisted: 0,
        }
    }
}

/// The request is wrong in itself.
pub const INVALID_REQUEST: Reason = Reason::new(
    "INVALID_REQUEST",
    Code::InvalidArgument,
    "BadRequest lists every field and its remedy; do not repeat unchanged",
);
/// An id was used for something else.
pub const REQUEST_ID_REUSED: Reason = Reason::new(
    "REQUEST_ID_REUSED",
    Code::InvalidArgument,
    "this request_id came before with another body; use a new one",
);
/// The first call still runs.
pub const REQUEST_IN_PROGRESS: Reason = Reason::new(
    "REQUEST_IN_PROGRESS",
    Code::Aborted,
    "the first call with this request_id still runs; repeat after RetryInfo",
);
/// A message that is laid aside no more, or never was.
pub const DEAD_LETTER_NOT_FOUND: Reason = Reason::new(
    "DEAD_LETTER_NOT_FOUND",
    Code::NotFound,
    "there is no such dead letter in this service: it was replayed, discarded, or belongs to another one",
);
/// No token.
pub const TOKEN_MISSING: Reason = Reason::new(
    "TOKEN_MISSING",
    Code::Unauthenticated,
    "send authorization: Bearer <token>",
);
/// A token that does not hold.
pub const TOKEN_INVALID: Reason = Reason::new(
    "TOKEN_INVALID",
    Code::Unauthenticated,
    "signature, algorithm, issuer, audience or claims are wrong; log in again",
);
/// A token past its time.
pub const TOKEN_EXPIRED: Reason = Reason::new(
    "TOKEN_EXPIRED",
    Code::Unauthenticated,
    "get a fresh token and repeat",
);
/// A pass by which nobody comes in.
pub const QUEUE_PASS_NOT_VALID: Reason = Reason::new(
    "QUEUE_PASS_NOT_VALID",
    Code::FailedPrecondition,
    "a pass in usher-queue-pass is not this account's, has expired or is none; renew it, join again, or leave it out where none is asked for",
);
/// A token without the role.
pub const ROLE_REQUIRED: Reason = Reason::new(
    "ROLE_REQUIRED",
    Code::PermissionDenied,
    "the token lacks the role or scope; ErrorInfo names it",
);
/// A peer that may not call.
pub const CALLER_NOT_ALLOWED: Reason = Reason::new(
    "CALLER_NOT_ALLOWED",
    Code::PermissionDenied,
    "only the named services of the mesh may call this method",
);
/// Too much at once.
pub const OVERLOADED: Reason = Reason::new(
    "OVERLOADED",
    Code::ResourceExhausted,
    "the process works at its limit; repeat after RetryInfo",
);
/// Too often.
pub const RATE_LIMITED: Reason = Reason::new(
    "RATE_LIMITED",
    Code::ResourceExhausted,
    "too many calls of this subject; repeat after RetryInfo",
);
/// Something needed does not answer.
pub const DEPENDENCY_DOWN: Reason = Reason::new(
    "DEPENDENCY_DOWN",
    Code::Unavailable,
    "a server this call needs does not answer; repeat after RetryInfo",
);
/// Out of time.
pub const DEADLINE_PASSED: Reason = Reason::new(
    "DEADLINE_PASSED",
    Code::DeadlineExceeded,
    "no answer in time; the outcome is unknown, repeat with the same request_id",
);
/// Our fault.
pub const INTERNAL: Reason = Reason::new(
    "INTERNAL",
    Code::Internal,
    "a fault on our side, logged with the request id; repeat with the same request_id",
);

/// The reasons of this module.
pub const REASONS: &[&Reason] = &[
    &INVALID_REQUEST,
    &REQUEST_ID_REUSED,
    &REQUEST_IN_PROGRESS,
    &DEAD_LETTER_NOT_FOUND,
    &TOKEN_MISSING,
    &TOKEN_INVALID,
    &TOKEN_EXPIRED,
    &QUEUE_PASS_NOT_VALID,
    &ROLE_REQUIRED,
    &CALLER_NOT_ALLOWED,
    &OVERLOADED,
    &RATE_LIMITED,
    &DEPENDENCY_DOWN,
    &DEADLINE_PASSED,
    &INTERNAL,
];

/// A status in the making.
#[derive(Debug)]
pub struct Refusal {
    reason: &'static Reason,
    message: String,
    details: Box<ErrorDetails>,
    preconditions_bytes: usize,
    unlisted: usize,
}

impl Refusal {
    /// Adds a fact to ErrorInfo's metadata.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        if let Some(mut info) = self.details.error_info().cloned() {
            info.metadata.insert(key.to_owned(), value.to_string());
            self.details
                .set_error_info(info.reason, info.domain, info.metadata);
        }
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.details.set_retry_info(Some(delay));
        self
    }

    /// Names what stands in the way: (type, subject, description). What does not fit in the headers of an answer any more is counted, in
    /// the message and as [`UNLISTED`]: an answer that is too large would reach its caller as UNAVAILABLE.
    #[must_use]
    pub fn precondition(mut self, kind: &str, subject: &str, description: &str) -> Self {
        let texts = kind.len() + subject.len() + description.len();
        let bytes = self.preconditions_bytes + texts + PRECONDITION_BYTES;
        if bytes > PRECONDITIONS_BYTES_MAX {
            return self.unlisted(1);
        }
        self.preconditions_bytes = bytes;
        self.details
            .add_precondition_failure_violation(kind, subject, description);
        self
    }

    /// Counts `count` more that stand in the way and are not known by name.
    #[must_use]
    pub fn unlisted(mut self, count: usize) -> Self {
        self.unlisted += count;
        self
    }

    /// Names the limit that was reached: (subject, description).
    #[must_use]
    pub fn quota(mut self, subject: &str, description: &str) -> Self {
        self.details
            .add_quota_failure_violation(subject, description);
        self
    }
}

impl From<Refusal> for Status {
    fn from(mut refusal: Refusal) -> Self {
        let unlisted = refusal.unlisted;
        if unlisted > 0 {
            refusal = refusal.with(UNLISTED, unlisted);
            let more = format!(" (and {unlisted} more than are listed)");
            refusal.message.push_str(&more);
        }
        Self::with_error_details(refusal.reason.code, refusal.message, *refusal.details)
    }
}

/// Collects everything that is wrong with a request before it is refused.
#[derive(Debug, Default)]
pub struct Violations {
    list: Vec<FieldViolation>,
    more: usize,
}

impl Violations {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `field` (a path such as `lines[3].ord`) breaks a rule; `remedy` says what would be right.
    pub fn add(&mut self, field: impl Into<String>, remedy: impl Into<String>) {
        if self.list.len() < VIOLATIONS_MAX {
            self.list.push(FieldViolation::new(field, remedy));
        } else {
            self.more += 1;
        }
    }

    /// Notes that `count` more were found and not kept, by a collector with a bound of its own.
    pub fn add_unlisted(&mut self, count: usize) {
        self.more += count;
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// `value`, or a refusal with `reason` that lists every violation.
    pub fn finish<T>(self, reason: &'static Reason, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => Err(self.refuse(reason)),
        }
    }

    /// The refusal that lists every violation.
    #[must_use]
    pub fn refuse(self, reason: &'static Reason) -> Status {
        let first = self.list.first().map_or_else(
            || "the request is not valid".to_owned(),
            |violation| format!("{}: {}", violation.field, violation.description),
        );
        let others = self.list.len().saturating_sub(1) + self.more;
        let message = if others > 0 {
            format!("{first} (and {others} more)")
        } else {
            first
        };
        let mut refusal = reason.refuse(message);
        refusal.details.set_bad_request(self.list);
        refusal.into()
    }
}

/// Logs `error` with its causes and answers INTERNAL without any of it.
pub fn internal(error: &(dyn StdError + 'static)) -> Status {
    error!(error = chain(error), "a request failed: {}", chain(error));
    INTERNAL.refuse("internal error").into()
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    /// Headers that proxies allow.
    const PROXY_HEADERS: usize = 8 * 1024;

    fn refused(count: usize, (kind, subject, description): (&str, &str, &str)) -> Status {
        let refusal = INVALID_REQUEST.refuse("some of it is wrong");
        let each = |refusal: Refusal, _| refusal.precondition(kind, subject, description);
        (0..count).fold(refusal, each).into()
    }

    /// (listed, told in ErrorInfo, bytes of headers).
    fn told(status: &Status) -> (usize, Option<String>, usize) {
        let details = status.get_error_details();
        let listed = details.precondition_failure().unwrap().violations.len();
        let unlisted = details.error_info().unwrap().metadata.get(UNLISTED);
        let bytes = status.details().len() * 4 / 3 + status.message().len();
        (listed, unlisted.cloned(), bytes)
    }

    #[test]
    fn a_refusal_names_what_fits_in_headers_and_counts_the_rest() {
        let (subject, long) = ("x".repeat(42), "y".repeat(300));
        // The units of a hold: all of them.
        let all = refused(64, ("UNIT", &subject, "HELD_OUT"));
        assert_eq!((told(&all).0, told(&all).1), (64, None));
        assert_eq!(all.message(), "some of it is wrong");

        let some = refused(100, ("GROUP_FULL", &subject, &long));
        let (listed, unlisted, bytes) = told(&some);
        assert_eq!(unlisted, Some((100 - listed).to_string()));
        let more = format!(
            "some of it is wrong (and {} more than are listed)",
            100 - listed
        );
        assert_eq!(some.message(), more);
        for status in [&all, &some] {
            assert!(told(status).2 < PROXY_HEADERS, "{}", told(status).2);
        }
        assert!(listed > 10 && bytes > 6_000, "{listed} in {bytes}");
    }

    #[test]
    fn what_is_not_known_by_name_is_counted() {
        let refusal = INVALID_REQUEST.refuse("no").unlisted(3);
        let status = Status::from(refusal.precondition("LINE", "1", "STARTED"));
        assert_eq!(told(&status).1.as_deref(), Some("3"));
    }
}
