//! HTTP/JSON to protobuf and back, from descriptors alone.
//!
//! A [`Router`] reads `google.api.http` of the methods in a descriptor pool. [`Router::find`] turns a request line into a [`Match`],
//! [`Match::message`] turns query, body and headers into the request message, [`Route::response`] turns the answer into an HTTP response,
//! and [`ErrorWriter`] turns every error into one JSON shape. Nothing here knows gRPC transport, a clock or a socket.
//!
//! # What it decides
//!
//! - **Strict input.** An unknown field, an unknown query parameter, a name that stands twice, text behind the JSON value, a body where
//!   none is taken: each is refused by name. A typo in an amount must not become a default.
//! - **All violations at once**, up to [`MAX_VIOLATIONS`], in proto names (`lines[2].unit_price`), the names that the services use too.
//!   Input may use proto names or lowerCamelCase; both for one field is an error.
//! - **Precedence** path, body, query. The path wins over the body without a word, since clients send a whole resource to its own path. A
//!   query parameter for a field that belongs to path or body is refused as unknown; with body `*` every parameter is.
//! - **Output** is `ProtoJSON`: lowerCamelCase, 64-bit integers as strings, enum names. Fields without presence are written even when they
//!   hold their default, so that a client need not know defaults; unset messages and `optional` fields are absent.
//! - **`google.api.HttpBody`** as the body or the response is raw bytes with their content type; those of a stream follow each other, and a body that
//!   breaks off has no end.
//! - **`Idempotency-Key`** fills `request_id` where that field exists and is empty; the body's own value wins.
//! - **Errors** are `{"error": google.rpc.Status}` with the name of the code in `status` besides. Details are typed JSON; `DebugInfo` and
//!   types outside the pool do not leave. `RetryInfo` becomes `Retry-After`, rounded up.
//! - **Streams** of messages stand in one body, framed as the caller accepts it, with an explicit end: see [`Framing`].
//! - **Paths**: a variable of one segment is decoded, one of several keeps `%2F`. A trailing slash is another path. See [`Router`].
//!
//! Step 1 goes through `DynamicMessage`: correct first. A one-pass writer may replace it behind the same functions.

mod build;
mod code;
mod errors;
mod failure;
mod field_path;
mod framing;
mod json;
mod known;
pub mod openapi;
mod percent;
mod query;
mod request;
mod response;
mod route;
mod router;
mod rpc;
mod rule;
mod scalar;
mod template;
mod violations;

pub use build::{BuildError, BuildErrors};
pub use code::Code;
pub use errors::ErrorWriter;
pub use failure::{DOMAIN, Failure};
pub use framing::Framing;
pub use json::MAX_JSON_DEPTH;
pub use request::Request;
pub use route::Route;
pub use router::{Match, Miss, Router};
pub use violations::{MAX_VIOLATIONS, Violation};
