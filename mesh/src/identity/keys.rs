//! The key that signs access tokens in development: a file, made by `usher-token`.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use thiserror::Error;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
/// Characters of the key id: 96 bits of the key's hash tell keys apart.
const KID_LENGTH: usize = 16;

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The generator failed.
    #[error("no key could be generated")]
    Generate,
    /// The text is not a PKCS#8 PEM with an Ed25519 key.
    #[error("is not a PKCS#8 PEM with an Ed25519 private key")]
    Malformed,
    /// Signing failed.
    #[error("the token could not be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// An Ed25519 key that signs access tokens.
pub struct SigningKey {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new());
        Self::from_pkcs8(document.map_err(|_| KeyError::Generate)?.as_ref().to_vec())
    }

    /// The key of a PEM file.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let body = pem
            .trim()
            .strip_prefix(PEM_BEGIN)
            .and_then(|rest| rest.strip_suffix(PEM_END));
        let text: String = body
            .ok_or(KeyError::Malformed)?
            .split_whitespace()
            .collect();
        Self::from_pkcs8(STANDARD.decode(text).map_err(|_| KeyError::Malformed)?)
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8);
        let public = pair
            .map_err(|_| KeyError::Malformed)?
            .public_key()
            .as_ref()
            .to_vec();
        Ok(Self { pkcs8, public })
    }

    /// The key as a PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(&self.pkcs8))
    }

    /// Id of the key in token headers and the JWKS.
    #[must_use]
    pub fn kid(&self) -> String {
        let mut kid = URL_SAFE_NO_PAD.encode(Sha256::digest(&self.public));
        kid.truncate(KID_LENGTH);
        kid
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// A JWKS with this key alone.
    #[must_use]
    pub fn to_jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(&self.public);
        let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid(), "x": x});
        format!("{:#}\n", json!({ "keys": [key] }))
    }

    /// Signs a token with these claims: [`super::Claims`] for an access token.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = Header {
            kid: Some(self.kid()),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(jsonwebtoken::encode(
            &header,
            claims,
            &EncodingKey::from_ed_der(&self.pkcs8),
        )?)
    }
}
