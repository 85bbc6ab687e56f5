//! Who calls: the account of the bearer token. Nothing else a client says about itself counts.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use mesh::identity::{Account, Caller, TokenVerifier};
use mesh::status::{Refusal, TOKEN_INVALID};

/// The caller of a request. A token that is not valid is refused, also where none is needed; a peer nobody can be from outside.
pub(crate) async fn caller(
    verifier: &TokenVerifier,
    headers: &HeaderMap,
) -> Result<Caller, Refusal> {
    Ok(Caller {
        account: account(verifier, headers).await?,
        peer: None,
    })
}

async fn account(
    verifier: &TokenVerifier,
    headers: &HeaderMap,
) -> Result<Option<Arc<Account>>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two tokens could be read as one caller here and as another behind.
    if values.next().is_some() {
        return Err(TOKEN_INVALID.refuse("authorization stands twice"));
    }
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(verifier.verify(token.trim()).await?))
        }
        _ => Err(TOKEN_INVALID.refuse("authorization is not of the form: Bearer <token>")),
    }
}
