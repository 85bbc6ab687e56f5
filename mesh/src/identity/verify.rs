//! Verifies access tokens. The algorithm is pinned to EdDSA; verified tokens are remembered by hash until they expire.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;

use super::jwks::{self, JwksError, JwksSource, Keys};
use super::{Account, Claims};
use crate::clock::{self, Stopwatch};
use crate::status::{Refusal, TOKEN_EXPIRED, TOKEN_INVALID, chain};
use crate::tasks::Tasks;

/// Clocks of issuer and verifier may differ by this much.
const LEEWAY: Duration = Duration::from_secs(30);
/// The keys are read again this often: a key that was taken back is trusted no longer than this.
const REFRESH: Duration = Duration::from_secs(300);
/// An unknown kid makes us read the keys at once, but not more often than this: anybody can send unknown kids.
const REFRESH_MIN: Duration = Duration::from_secs(10);
/// Remembered tokens: 20,000 of about 200 bytes are 4 MB; beyond that all are forgotten and verified again.
const REMEMBERED_MAX: usize = 20_000;
/// Longest token: larger ones are refused before any work is done on them.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What tokens are verified against.
#[derive(Clone, Debug)]
pub struct VerifierOptions {
    /// Keys.
    pub jwks: JwksSource,
    /// The one issuer.
    pub issuer: String,
    /// The one audience.
    pub audience: String,
}

/// Verifies access tokens. Clones share keys and memory.
#[derive(Clone)]
pub struct TokenVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    source: JwksSource,
    validation: Validation,
    keys: RwLock<Keys>,
    last_refresh: AsyncMutex<Stopwatch>,
    remembered: Mutex<HashMap<[u8; 32], Arc<Account>>>,
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenVerifier")
            .field("jwks", &self.inner.source)
            .finish()
    }
}

impl TokenVerifier {
    /// Reads the keys once, and then again and again in a task. Fails when the first read fails.
    pub async fn start(options: VerifierOptions, tasks: &Tasks) -> Result<Self, JwksError> {
        let keys = jwks::read(&options.jwks).await?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[options.issuer]);
        validation.set_audience(&[options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY.as_secs();
        let verifier = Self {
            inner: Arc::new(Inner {
                source: options.jwks,
                validation,
                keys: RwLock::new(keys),
                last_refresh: AsyncMutex::new(Stopwatch::start()),
                remembered: Mutex::new(HashMap::new()),
            }),
        };
        let refreshing = verifier.clone();
        tasks.keep_running("jwks refresh", move |stop| {
            let verifier = refreshing.clone();
            async move {
                while !stop.is_cancelled() {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(REFRESH) => verifier.refresh(Duration::ZERO).await,
                    }
                }
            }
        });
        Ok(verifier)
    }

    /// The account of a token, or the refusal that says why not.
    pub async fn verify(&self, token: &str) -> Result<Arc<Account>, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TOKEN_INVALID.refuse("the access token is too long"));
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(account) = self.recall(&hash) {
            return Ok(account);
        }
        let invalid = || TOKEN_INVALID.refuse("the access token is not valid");
        let kid = decode_header(token)
            .ok()
            .and_then(|header| header.kid)
            .ok_or_else(invalid)?;
        if !self.knows(&kid) {
            self.refresh(REFRESH_MIN).await;
        }
        let claims = self.check(token, &kid)?;
        let account = Arc::new(Account::from_claims(&claims).ok_or_else(invalid)?);
        self.remember(hash, Arc::clone(&account));
        Ok(account)
    }

    fn check(&self, token: &str, kid: &str) -> Result<Claims, Refusal> {
        let keys = self
            .inner
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let key = keys
            .get(kid)
            .ok_or_else(|| TOKEN_INVALID.refuse("the access token is signed by an unknown key"))?;
        match decode::<Claims>(token, key, &self.inner.validation) {
            Ok(data) => Ok(data.claims),
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
                Err(TOKEN_EXPIRED.refuse("the access token has expired"))
            }
            Err(_) => Err(TOKEN_INVALID.refuse("the access token is not valid")),
        }
    }

    fn knows(&self, kid: &str) -> bool {
        self.inner
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(kid)
    }

    fn recall(&self, hash: &[u8; 32]) -> Option<Arc<Account>> {
        let mut remembered = self
            .inner
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let account = remembered.get(hash)?;
        if account.expire_time + LEEWAY > clock::now() {
            return Some(Arc::clone(account));
        }
        remembered.remove(hash);
        None
    }

    fn remember(&self, hash: [u8; 32], account: Arc<Account>) {
        let mut remembered = self
            .inner
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(hash, account);
    }

    /// Reads the keys unless they were read less than `min_age` ago. When that fails the old keys stay.
    async fn refresh(&self, min_age: Duration) {
        let mut last = self.inner.last_refresh.lock().await;
        if last.elapsed() < min_age {
            return;
        }
        *last = Stopwatch::start();
        match jwks::read(&self.inner.source).await {
            Ok(keys) => {
                let mut known = self
                    .inner
                    .keys
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                let gone = known.keys().any(|kid| !keys.contains_key(kid));
                *known = keys;
                drop(known);
                if gone {
                    let remembered = self.inner.remembered.lock();
                    remembered.unwrap_or_else(PoisonError::into_inner).clear();
                }
            }
            Err(error) => {
                warn!(
                    error = chain(&error),
                    "the keys of access tokens were not refreshed"
                );
            }
        }
    }
}
