//! Verifies passes: short signed texts by which somebody was let into something. Whoever checks one asks nobody.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::jwks::{self, JwksSource, Keys};
use crate::clock;
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
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// An unknown key makes us read them at once, but not more often than this: anybody can name unknown ones.
const LOOK_MIN: Duration = Duration::from_secs(2);
/// Longest wait for keys that are being read.
const LOOK_MAX: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    exp: i64,
    epoch: u64,
    lane: u8,
    seq: u64,
    #[serde(default)]
    strict: bool,
}

/// What a pass says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What its owner was let into.
    pub show_id: Uuid,
    /// Epoch of the place in line.
    pub epoch: u64,
    /// Lane of the place.
    pub lane: u8,
    /// Number of the place in its lane.
    pub seq: u64,
    /// Whether the place is good for one time only.
    pub strict: bool,
}

/// Why a pass lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PassError {
    /// It is none, or is somebody else's.
    #[error("is no valid pass of this account")]
    NotValid,
    /// It was one, whoever's, and is over.
    #[error("has expired")]
    Ended,
    /// Nobody knows: its key could not be read.
    #[error("the keys of passes cannot be read")]
    KeysAway,
}

/// Verifies passes. Clones share the keys.
#[derive(Clone, Debug)]
pub struct PassVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    source: JwksSource,
    validation: Validation,
    known: RwLock<Known>,
    /// Somebody has a pass of an unknown key.
    wanted: Notify,
    /// The keys were read, or could not be.
    looked: Notify,
}

#[derive(Default)]
struct Known {
    keys: Keys,
    /// Whether the last reading failed, or none was made yet.
    away: bool,
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
    /// Reads the keys again and again in a task. While they cannot be read no pass is valid, and everything else goes on.
    #[must_use]
    pub fn start(source: JwksSource, tasks: &Tasks) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[PASS_ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The audience is the answer. Time is compared below, to the second: a slot outlives its pass by what clocks may differ.
        validation.validate_aud = false;
        validation.validate_exp = false;
        let known = Known {
            keys: Keys::new(),
            away: true,
        };
        let verifier = Self {
            inner: Arc::new(Inner {
                source,
                validation,
                known: RwLock::new(known),
                wanted: Notify::new(),
                looked: Notify::new(),
            }),
        };
        let refreshing = verifier.clone();
        tasks.keep_running("pass keys", move |stop| {
            let verifier = refreshing.clone();
            async move { verifier.keep(stop).await }
        });
        verifier
    }

    /// What this pass says, if it is one of `account_id`.
    pub async fn verify(&self, text: &str, account_id: Uuid) -> Result<Pass, PassError> {
        if text.len() > PASS_BYTES_MAX {
            return Err(PassError::NotValid);
        }
        let kid = decode_header(text).ok().and_then(|header| header.kid);
        let kid = kid.ok_or(PassError::NotValid)?;
        let looked = self.inner.looked.notified();
        if !self.known().keys.contains_key(&kid) {
            self.inner.wanted.notify_one();
            // Whoever gives up waiting changes nothing: the keys are read by a task of their own.
            drop(tokio::time::timeout(LOOK_MAX, looked).await);
        }
        let known = self.known();
        let Some(key) = known.keys.get(&kid) else {
            return Err(if known.away {
                PassError::KeysAway
            } else {
                PassError::NotValid
            });
        };
        let claims = decode::<Claims>(text, key, &self.inner.validation);
        let claims = claims.map_err(|_| PassError::NotValid)?.claims;
        if clock::now().timestamp() >= claims.exp {
            return Err(PassError::Ended);
        }
        if id::parse(&claims.sub) != Some(account_id) {
            return Err(PassError::NotValid);
        }
        Ok(Pass {
            show_id: id::parse(&claims.aud).ok_or(PassError::NotValid)?,
            epoch: claims.epoch,
            lane: claims.lane,
            seq: claims.seq,
            strict: claims.strict,
        })
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.inner
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.look().await;
            self.inner.looked.notify_waiters();
            let again = async {
                tokio::time::sleep(LOOK_MIN).await;
                let rest = async {
                    // While there are none, somebody who comes finds them as soon as they are there.
                    let pause = if self.known().away {
                        LOOK_MIN
                    } else {
                        LOOK_EVERY
                    };
                    tokio::time::sleep(pause).await;
                };
                tokio::select! {
                    () = rest => {}
                    () = self.inner.wanted.notified() => {}
                }
            };
            tokio::select! {
                () = again => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Reads the keys; when that fails the old ones stay. Told once.
    async fn look(&self) {
        let read = jwks::read(&self.inner.source).await;
        let mut known = self
            .inner
            .known
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(keys) => {
                let away = false;
                *known = Known { keys, away };
            }
            Err(error) => {
                if !known.away {
                    let error = chain(&error);
                    warn!(error, "the keys of passes were not read: {error}");
                }
                known.away = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::super::SigningKey;
    use super::*;

    /// A pass of this account that is good for a minute, with some claims as they are said.
    fn signed(key: &SigningKey, account_id: Uuid, said: &[(&str, Value)]) -> String {
        let exp = clock::now().timestamp() + 60;
        let mut claims = json!({"iss": PASS_ISSUER, "aud": Uuid::from_u128(7), "sub": account_id, "exp": exp,
            "jti": "1:2:3:4", "epoch": 1, "lane": 2, "seq": 3, "no": 4, "ses": 0});
        for (name, value) in said {
            claims[*name] = value.clone();
        }
        key.sign(&claims).unwrap()
    }

    /// A verifier that knows `key`, and the file it reads.
    fn verifier(key: &SigningKey) -> (PassVerifier, PathBuf) {
        let file = std::env::temp_dir().join(format!("usher-passes-{}.json", id::new()));
        std::fs::write(&file, key.to_jwks()).unwrap();
        let verifier = PassVerifier::start(JwksSource::File(file.clone()), &Tasks::new());
        (verifier, file)
    }

    #[tokio::test]
    async fn a_pass_is_good_for_its_account_from_its_issuer_until_its_end() {
        let (key, stranger) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
        );
        let ((verifier, file), account_id) = (verifier(&key), id::new());
        let good = signed(&key, account_id, &[]);
        assert!(verifier.verify(&good, account_id).await.is_ok());
        let bad = |name, value| signed(&key, account_id, &[(name, value)]);
        let (past, other) = (clock::now().timestamp(), id::new());
        for (text, caller) in [
            (good.clone(), other),
            (bad("iss", json!("usher-dev")), account_id),
            (bad("aud", json!("a show")), account_id),
            (bad("seq", Value::Null), account_id),
            (bad("strict", json!("yes")), account_id),
            (signed(&stranger, account_id, &[]), account_id),
            (good.chars().rev().collect(), account_id),
            ("x".repeat(2_000), account_id),
        ] {
            assert_eq!(
                verifier.verify(&text, caller).await,
                Err(PassError::NotValid),
                "{text}"
            );
        }
        // What is over is told as such, whoever shows it, and only if it was good once.
        let over = bad("exp", json!(past));
        let strange = signed(&stranger, account_id, &[("exp", json!(past))]);
        for (text, caller, expected) in [
            (&over, account_id, PassError::Ended),
            (&over, other, PassError::Ended),
            (&strange, account_id, PassError::NotValid),
        ] {
            assert_eq!(verifier.verify(text, caller).await, Err(expected));
        }
        std::fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn a_pass_says_its_place_and_whether_it_is_strict() {
        let key = SigningKey::generate().unwrap();
        let ((verifier, file), account_id) = (verifier(&key), id::new());
        let mut expected = Pass {
            show_id: Uuid::from_u128(7),
            epoch: 1,
            lane: 2,
            seq: 3,
            strict: false,
        };
        let said = [vec![], vec![("strict", json!(false))]];
        for said in said {
            let text = signed(&key, account_id, &said);
            assert_eq!(verifier.verify(&text, account_id).await, Ok(expected));
        }
        expected.strict = true;
        let text = signed(&key, account_id, &[("strict", json!(true))]);
        assert_eq!(verifier.verify(&text, account_id).await, Ok(expected));
        std::fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn without_keys_nobody_knows() {
        let nowhere = std::env::temp_dir().join(format!("usher-passes-{}.json", id::new()));
        let verifier = PassVerifier::start(JwksSource::File(nowhere), &Tasks::new());
        let (key, account_id) = (SigningKey::generate().unwrap(), id::new());
        let text = signed(&key, account_id, &[]);
        assert_eq!(
            verifier.verify(&text, account_id).await,
            Err(PassError::KeysAway)
        );
    }
}
