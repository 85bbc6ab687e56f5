//! Errors as JSON: `{"error": {"code", "status", "message", "details"}}`.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use prost_types::Any;
use serde_json::{Value as Json, json};

use crate::build::BuildError;
use crate::code::Code;
use crate::failure::Failure;
use crate::response::JSON_TYPE;
use crate::rpc::{RetryInfo, Status, TYPE_PREFIX};

/// Details that tell about the inside of a service and never leave.
const PRIVATE: [&str; 1] = ["google.rpc.DebugInfo"];

/// Writes errors. Details are rendered from the pool, so those of any contract in it come out typed.
#[derive(Debug, Clone)]
pub struct ErrorWriter {
    pool: DescriptorPool,
}

impl ErrorWriter {
    /// A writer over `pool`.
    ///
    /// # Errors
    /// [`BuildError::MissingFile`] when the pool lacks `google/rpc/error_details.proto`, whose messages every error carries.
    pub fn new(pool: &DescriptorPool) -> Result<Self, BuildError> {
        match pool.get_message_by_name("google.rpc.ErrorInfo") {
            Some(_) => Ok(Self { pool: pool.clone() }),
            None => Err(BuildError::MissingFile {
                file: "google/rpc/error_details.proto",
            }),
        }
    }

    /// The answer for an error made at the door.
    pub fn failure(&self, failure: &Failure) -> Response<Bytes> {
        let mut response = self.write(failure.http_status(), failure.code(), &failure.status());
        let allow = failure
            .allow()
            .and_then(|allow| HeaderValue::from_str(allow).ok());
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }

    /// The answer for an error of a service: `code` and `message` from the trailers, `details` the bytes of `grpc-status-details-bin`
    /// (an encoded `google.rpc.Status`; empty or broken bytes give no details).
    pub fn status(&self, code: i32, message: &str, details: &[u8]) -> Response<Bytes> {
        let code = Code::of(code);
        let details = Status::decode(details)
            .map(|status| status.details)
            .unwrap_or_default();
        let status = Status {
            code: code.number(),
            message: message.to_owned(),
            details,
        };
        self.write(code.http(), code, &status)
    }

    fn write(&self, http: StatusCode, code: Code, status: &Status) -> Response<Bytes> {
        // The reason is what a client branches on, so it stands first whatever the order on the wire.
        let (reason, rest): (Vec<&Any>, _) = status
            .details
            .iter()
            .partition(|any| any.type_url.ends_with("/google.rpc.ErrorInfo"));
        let details: Vec<Json> = reason
            .into_iter()
            .chain(rest)
            .filter_map(|any| self.detail(any))
            .collect();
        let body = json!({"error": {
            "code": status.code,
            "status": code.name(),
            "message": status.message,
            "details": details,
        }});
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = http;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(JSON_TYPE));
        if let Some(seconds) = retry_after_seconds(&status.details) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// A detail as JSON. One that is private, of a type outside the pool, or broken is left out: only what the contracts name leaves.
    fn detail(&self, any: &Any) -> Option<Json> {
        let name = any.type_url.rsplit('/').next()?;
        if PRIVATE.contains(&name) {
            return None;
        }
        let message =
            DynamicMessage::decode(self.pool.get_message_by_name(name)?, any.value.as_slice());
        let options = SerializeOptions::new();
        let json = message
            .ok()?
            .serialize_with_options(serde_json::value::Serializer, &options)
            .ok()?;
        let kind = Json::from(format!("{TYPE_PREFIX}{name}"));
        match json {
            Json::Object(mut fields) => {
                fields.insert("@type".to_owned(), kind);
                Some(Json::Object(fields))
            }
            // Well-known messages with a form of their own stand under `value`, as in any `Any`.
            value => Some(json!({"@type": kind, "value": value})),
        }
    }
}

/// `Retry-After` from `RetryInfo`: whole seconds, rounded up, so that nobody comes back too early; a delay of nothing stays 0.
fn retry_after_seconds(details: &[Any]) -> Option<u64> {
    let any = details
        .iter()
        .find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    Some(seconds.saturating_add(u64::from(delay.nanos > 0)))
}
