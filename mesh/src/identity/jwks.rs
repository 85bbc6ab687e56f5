//! Where the public keys of access tokens come from: a file or an address, read again and again, so that keys rotate without a restart.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet};
use thiserror::Error;

/// Time for one fetch: the keys come from inside the data centre.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// A file or an http(s) address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// A file.
    File(PathBuf),
    /// An address.
    Url(String),
}

impl FromStr for JwksSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let remote = text.starts_with("http://") || text.starts_with("https://");
        Ok(if remote {
            Self::Url(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        })
    }
}

impl fmt::Display for JwksSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Url(url) => formatter.write_str(url),
        }
    }
}

/// Why the keys could not be read.
#[derive(Debug, Error)]
pub enum JwksError {
    /// The file cannot be read.
    #[error("{0} cannot be read")]
    File(JwksSource, #[source] std::io::Error),
    /// The address does not answer.
    #[error("{0} cannot be fetched")]
    Fetch(JwksSource, #[source] reqwest::Error),
    /// The text is not a JWKS.
    #[error("{0} is not a JWKS")]
    Malformed(JwksSource, #[source] serde_json::Error),
    /// No key is usable.
    #[error("{0} has no Ed25519 key with a kid")]
    NoKey(JwksSource),
}

/// Keys by kid.
pub(super) type Keys = HashMap<String, DecodingKey>;

/// Reads the keys. Keys of other kinds are left out: the algorithm is pinned.
pub(super) async fn read(source: &JwksSource) -> Result<Keys, JwksError> {
    let text = match source {
        JwksSource::File(path) => tokio::fs::read_to_string(path)
            .await
            .map_err(|error| JwksError::File(source.clone(), error))?,
        JwksSource::Url(url) => fetch(url)
            .await
            .map_err(|error| JwksError::Fetch(source.clone(), error))?,
    };
    let set: JwkSet =
        serde_json::from_str(&text).map_err(|error| JwksError::Malformed(source.clone(), error))?;
    let mut keys = Keys::new();
    for jwk in &set.keys {
        let ed25519 = matches!(
            &jwk.algorithm,
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519
        );
        if let (true, Some(kid), Ok(key)) =
            (ed25519, &jwk.common.key_id, DecodingKey::from_jwk(jwk))
        {
            keys.insert(kid.clone(), key);
        }
    }
    if keys.is_empty() {
        Err(JwksError::NoKey(source.clone()))
    } else {
        Ok(keys)
    }
}

async fn fetch(url: &str) -> Result<String, reqwest::Error> {
    let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
    client
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .text()
        .await
}
