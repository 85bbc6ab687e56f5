//! A pool with every shape, and one call to go through the crate.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use serde_json::Value as Json;
use transcode::{Failure, Request, Router};

/// The pool of `fixture.proto`, with the error details.
pub(crate) static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| compile(include_str!("fixture.proto")).unwrap());

/// Its routes.
pub(crate) static ROUTER: LazyLock<Router> =
    LazyLock::new(|| Router::build(&POOL, |_| true).unwrap());

struct Source(String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "test.proto" {
            return File::from_source(name, &self.0);
        }
        Err(protox::Error::file_not_found(name))
    }
}

/// Compiles a source beside the vendored Google files.
pub(crate) fn compile(source: &str) -> Result<DescriptorPool, protox::Error> {
    let vendored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source(source.to_owned()));
    resolver.add(IncludeFileResolver::new(vendored));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file("test.proto")?;
    compiler.open_file("google/rpc/error_details.proto")?;
    compiler.open_file("google/rpc/status.proto")?;
    Ok(DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap())
}

/// A call: `target` is path and query.
pub(crate) fn call(
    method: &str,
    target: &str,
    request: Request<'_>,
) -> Result<DynamicMessage, Failure> {
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let found = ROUTER.find(method, path).expect("a route");
    found.message(&Request { query, ..request })
}

/// A call with a JSON body.
pub(crate) fn post(target: &str, body: &str) -> Result<DynamicMessage, Failure> {
    call("POST", target, json_body(body))
}

/// A JSON body.
pub(crate) fn json_body(body: &str) -> Request<'static> {
    Request {
        content_type: Some("application/json"),
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Request::default()
    }
}

/// A message as `ProtoJSON` without defaults.
pub(crate) fn json(message: &DynamicMessage) -> Json {
    serde_json::to_value(message).unwrap()
}

/// Violations as `field: description` lines.
pub(crate) fn violations(result: Result<DynamicMessage, Failure>) -> Vec<String> {
    let failure = result.expect_err("a refusal");
    assert_eq!(failure.reason(), "INVALID_REQUEST");
    assert_eq!(failure.http_status(), 400);
    failure
        .violations()
        .iter()
        .map(|v| format!("{}: {}", v.field, v.description))
        .collect()
}
