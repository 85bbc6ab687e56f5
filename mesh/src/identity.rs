//! Who is calling: an account by its access token, a peer service by the mesh token.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Secret;
use crate::policy::{Access, Standing};
use crate::status::{CALLER_NOT_ALLOWED, Refusal};

mod jwks;
mod keys;
mod pass;
mod verify;

pub use jwks::{JwksError, JwksSource};
pub use keys::{KeyError, SigningKey};
pub use pass::{PASS_ISSUER, Pass, PassError, PassVerifier, QUEUE_PASS};
pub use verify::{TokenVerifier, VerifierOptions};

/// Metadata key under which a peer names itself.
pub const MESH_IDENTITY: &str = "usher-mesh-identity";
/// Metadata key under which a peer proves it.
pub const MESH_TOKEN: &str = "usher-mesh-token";
/// Shortest mesh token: 16 characters of base64 are 96 bits, out of reach of guessing over the network.
pub const MESH_TOKEN_MIN: usize = 16;

/// A role of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// May buy.
    User,
    /// May sell.
    Seller,
    /// May operate.
    Admin,
    /// A role of a later version: it grants nothing here.
    #[serde(other)]
    Other,
}

/// Claims of an access token (RFC 7519, scope by RFC 8693).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// Account.
    pub sub: Uuid,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Expires at, Unix seconds.
    pub exp: i64,
    /// Token id.
    pub jti: String,
}

/// The account behind a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id; `seller_id` of what it creates.
    pub account_id: Uuid,
    /// Highest rung of its roles.
    pub access: Access,
    /// Scopes of the token.
    pub scopes: Vec<String>,
    /// When the token ends.
    pub expire_time: DateTime<Utc>,
}

impl Account {
    /// Whether it may operate.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.access == Access::Admin
    }

    fn from_claims(claims: &Claims) -> Option<Self> {
        let access = claims.roles.iter().map(|role| match role {
            Role::Admin => Access::Admin,
            Role::Seller => Access::Seller,
            Role::User | Role::Other => Access::User,
        });
        Some(Self {
            account_id: claims.sub,
            access: access.max().unwrap_or(Access::User),
            scopes: claims.scope.split_whitespace().map(str::to_owned).collect(),
            expire_time: DateTime::from_timestamp(claims.exp, 0)?,
        })
    }
}

/// Who is calling, as far as it was proved.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The account of the token.
    pub account: Option<Arc<Account>>,
    /// The peer service.
    pub peer: Option<String>,
}

impl Caller {
    /// What the policy looks at.
    #[must_use]
    pub fn standing(&self) -> Standing<'_> {
        Standing {
            access: self.account.as_ref().map(|account| account.access),
            scopes: self.account.as_ref().map_or(&[], |account| &account.scopes),
            peer: self.peer.as_deref(),
        }
    }
}

/// The peer that sent `headers`, if it names itself and proves it. A name without proof is refused, never ignored.
pub fn peer(headers: &HeaderMap, expected: &Secret) -> Result<Option<String>, Refusal> {
    let Some(name) = headers.get(MESH_IDENTITY) else {
        return Ok(None);
    };
    let token = headers
        .get(MESH_TOKEN)
        .map_or(&[][..], |token| token.as_bytes());
    let proved = verify_slices_are_equal(token, expected.expose().as_bytes()).is_ok();
    match name.to_str() {
        Ok(name) if proved => Ok(Some(name.to_owned())),
        _ => Err(CALLER_NOT_ALLOWED.refuse("the mesh identity is not proved by the mesh token")),
    }
}

#[cfg(test)]
mod tests;
