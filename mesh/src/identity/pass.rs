//! Verifies passes: short signed texts by which somebody was let into something. Whoever checks one asks nobody.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;
use uuid::Uuid;

use super::jwks::{self, JwksSource, Keys};
use crate::clock::{self, Stopwatch};
use crate::id;
use crate::status::chain;
use crate::tasks::Tasks;

/// Metadata key of a pass; it may be there several times.
pub const QUEUE_PASS: &str = "usher-queue-pass";
/// Who issues passes.
pub const PASS_ISSUER: &str = "usher-queue";
/// Longest pass.
const PASS_BYTES_MAX: usize = 1_024;
/// The keys are read again this often.
const REFRESH: Duration = Duration::from_secs(300);
/// An unknown kid makes us read the keys at once, but not more often than this: anybody can send unknown kids.
const REFRESH_MIN: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    exp: i64,
}

/// A text that is no pass, is somebody else's, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no valid pass of this account")]
pub struct NotAPass;

/// Verifies passes. Clones share the keys.
#[derive(Clone, Debug)]
pub struct PassVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    source: JwksSource,
    validation: Validation,
    keys: RwLock<Keys>,
    last_refresh: AsyncMutex<Option<Stopwatch>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Inner")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl PassVerifier {
    /// Reads the keys when the first pass comes, and then again and again in a task. While they cannot be read no pass is valid, and
    /// everything else goes on.
    #[must_use]
    pub fn start(source: JwksSource, tasks: &Tasks) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[PASS_ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The audience is the answer. Time is compared below, to the second: a slot outlives its pass by what clocks may differ.
        validation.validate_aud = false;
        validation.validate_exp = false;
        let verifier = Self {
            inner: Arc::new(Inner {
                source,
                validation,
                keys: RwLock::default(),
                last_refresh: AsyncMutex::new(None),
            }),
        };
        let refreshing = verifier.clone();
        tasks.keep_running("pass keys", move |stop| {
            let verifier = refreshing.clone();
            async move {
                while !stop.is_cancelled() {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(REFRESH) => verifier.refresh().await,
                    }
                }
            }
        });
        verifier
    }

    /// What `account_id` was let into by this pass.
    pub async fn verify(&self, text: &str, account_id: Uuid) -> Result<Uuid, NotAPass> {
        if text.len() > PASS_BYTES_MAX {
            return Err(NotAPass);
        }
        let kid = decode_header(text).ok().and_then(|header| header.kid);
        let kid = kid.ok_or(NotAPass)?;
        if !self.knows(&kid) {
            self.refresh().await;
        }
        let claims = self.read(text, &kid).ok_or(NotAPass)?;
        let owner = id::parse(&claims.sub).ok_or(NotAPass)?;
        if owner != account_id || clock::now().timestamp() >= claims.exp {
            return Err(NotAPass);
        }
        id::parse(&claims.aud).ok_or(NotAPass)
    }

    fn knows(&self, kid: &str) -> bool {
        let keys = self
            .inner
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        keys.contains_key(kid)
    }

    fn read(&self, text: &str, kid: &str) -> Option<Claims> {
        let keys = self
            .inner
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let decoded = decode::<Claims>(text, keys.get(kid)?, &self.inner.validation);
        Some(decoded.ok()?.claims)
    }

    /// Reads the keys unless that was tried a moment ago. When it fails the old keys stay.
    async fn refresh(&self) {
        let mut last = self.inner.last_refresh.lock().await;
        if last.is_some_and(|last| last.elapsed() < REFRESH_MIN) {
            return;
        }
        *last = Some(Stopwatch::start());
        match jwks::read(&self.inner.source).await {
            Ok(keys) => {
                *self
                    .inner
                    .keys
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = keys;
            }
            Err(error) => {
                let error = chain(&error);
                warn!(error, "the keys of passes were not read: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Claims as TokenClaims, SigningKey};
    use super::*;

    fn signed(
        key: &SigningKey,
        issuer: &str,
        show_id: Uuid,
        account_id: Uuid,
        ends_in: i64,
    ) -> String {
        let now = clock::now().timestamp();
        let claims = TokenClaims {
            iss: issuer.to_owned(),
            aud: show_id.to_string(),
            sub: account_id,
            roles: Vec::new(),
            scope: String::new(),
            iat: now,
            exp: now + ends_in,
            jti: "1".to_owned(),
        };
        key.sign(&claims).unwrap()
    }

    #[tokio::test]
    async fn a_pass_is_good_for_its_account_from_its_issuer_until_its_end() {
        let key = SigningKey::generate().unwrap();
        let file = std::env::temp_dir().join(format!("usher-passes-{}.json", id::new()));
        let verifier = PassVerifier::start(JwksSource::File(file.clone()), &Tasks::new());
        let (show_id, account_id, other) = (id::new(), id::new(), id::new());
        let good = signed(&key, PASS_ISSUER, show_id, account_id, 60);
        assert_eq!(
            verifier.verify(&good, account_id).await,
            Err(NotAPass),
            "no keys yet"
        );

        std::fs::write(&file, key.to_jwks()).unwrap();
        let verifier = PassVerifier::start(JwksSource::File(file.clone()), &Tasks::new());
        assert_eq!(verifier.verify(&good, account_id).await, Ok(show_id));
        let stranger = SigningKey::generate().unwrap();
        for (text, caller) in [
            (good.clone(), other),
            (
                signed(&key, PASS_ISSUER, show_id, account_id, 0),
                account_id,
            ),
            (
                signed(&key, "usher-dev", show_id, account_id, 60),
                account_id,
            ),
            (
                signed(&stranger, PASS_ISSUER, show_id, account_id, 60),
                account_id,
            ),
            (good.chars().rev().collect(), account_id),
            ("x".repeat(2_000), account_id),
        ] {
            assert_eq!(
                verifier.verify(&text, caller).await,
                Err(NotAPass),
                "{text}"
            );
        }
        std::fs::remove_file(file).unwrap();
    }
}
