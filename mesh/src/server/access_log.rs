use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tonic::Code;
use tracing::info;

use super::request_id::RequestId;
use crate::clock::Stopwatch;
use crate::identity::Caller;
use crate::trace;

/// Path of the label when nothing serves the request: paths are the caller's choice and must not become metric labels.
const UNSERVED: &str = "unserved";

/// One log line and one count a call. The code is the one of the head: a stream that fails later ends its own task's log.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let path = request.uri().path().to_owned();
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let response = next.run(request).await;
    let code = code(&response);
    let method = if code == Code::Unimplemented {
        UNSERVED.to_owned()
    } else {
        path
    };
    let seconds = watch.elapsed().as_secs_f64();
    let label = format!("{code:?}");
    metrics::counter!("usher_rpc_requests_total", "method" => method.clone(), "code" => label.clone())
        .increment(1);
    metrics::histogram!("usher_rpc_duration_seconds", "method" => method.clone()).record(seconds);
    let caller = response.extensions().get::<Caller>();
    let account = caller
        .and_then(|caller| caller.account.as_ref())
        .map(|who| who.account_id);
    info!(
        method,
        code = label,
        seconds,
        request_id = request_id.as_deref().unwrap_or_default(),
        trace_id = trace::current()
            .map(|trace| trace.trace_id())
            .unwrap_or_default(),
        account_id = account.map(tracing::field::display),
        peer = caller.and_then(|caller| caller.peer.as_deref()),
        "{method} {label}"
    );
    response
}

fn code(response: &Response) -> Code {
    let status = response.headers().get("grpc-status");
    status.map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}
