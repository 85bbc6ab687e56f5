use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::Status;

use super::Stack;
use crate::identity::{self, Caller};
use crate::status::{Refusal, TOKEN_INVALID};

/// Finds out who calls. A claim that does not hold is refused, also where none is needed.
pub(super) async fn layer(
    State(stack): State<Arc<Stack>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&stack, request.headers()).await {
        Ok(caller) => caller,
        Err(refusal) => return Status::from(refusal).into_http(),
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(caller); // for the access log
    response
}

async fn identify(stack: &Stack, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let peer = identity::peer(headers, &stack.mesh_token)?;
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(Caller {
            account: None,
            peer,
        });
    };
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Caller {
            account: Some(stack.verifier.verify(token.trim()).await?),
            peer,
        }),
        _ => Err(TOKEN_INVALID.refuse("authorization is not of the form: Bearer <token>")),
    }
}
