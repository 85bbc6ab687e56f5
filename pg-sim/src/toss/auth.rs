//! HTTP Basic with the secret key as user and an empty password.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error;
use crate::desk::Desk;
use crate::exchange::Answer;

/// Lets a request through that carries the secret.
pub(crate) async fn check(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.as_bytes());
    match verdict(header, desk.secret.expose()) {
        Ok(()) => next.run(request).await,
        Err(answer) => answer.into_response(),
    }
}

fn verdict(header: Option<&[u8]>, secret: &str) -> Result<(), Answer> {
    let header = header.ok_or_else(error::unauthorized)?;
    let encoded = header
        .strip_prefix(b"Basic ")
        .ok_or_else(error::auth_format)?;
    let pair = STANDARD.decode(encoded).map_err(|_| error::auth_format())?;
    let user = pair.strip_suffix(b":").ok_or_else(error::auth_format)?;
    if user == secret.as_bytes() {
        Ok(())
    } else {
        Err(error::unauthorized())
    }
}
