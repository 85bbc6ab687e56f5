//! The keys that sign ticket codes. Several are valid at once, so that a new one can be known at every gate before it signs.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use thiserror::Error;

use super::code::{self, Claims, CodeError, TimeOutOfRange};
use crate::domain::finding::Findings;

#[cfg(test)]
mod tests;

/// Keys of one ring: a new one a month for eight years.
const KEYS_MAX: usize = 100;

/// Bytes of an Ed25519 seed.
const SEED_BYTES: usize = 32;

/// Every key whose codes may still be shown at a gate.
pub struct KeyRing(BTreeMap<u16, Key>);

struct Key {
    pair: Ed25519KeyPair,
    valid_from: DateTime<Utc>,
    valid_until: Option<DateTime<Utc>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Number that codes name.
    pub key_id: u16,
    /// Ed25519 public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// First instant at which it signs.
    pub valid_from: DateTime<Utc>,
    /// Instant from which its codes are refused, when that is decided.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Why a ring cannot sign.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SignError {
    /// Every key is too young or too old.
    #[error("no ticket key signs at {0}")]
    NoKey(DateTime<Utc>),
    /// A time does not fit into a code.
    #[error(transparent)]
    TimeOutOfRange(#[from] TimeOutOfRange),
}

/// A code and the key that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCode {
    /// The key.
    pub key_id: u16,
    /// The text of the code.
    pub code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    keys: Vec<KeyFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    key_id: u16,
    seed: String,
    valid_from_time: DateTime<Utc>,
    valid_until_time: Option<DateTime<Utc>>,
}

impl KeyRing {
    /// Reads `{"keys": [{"key_id": 1, "seed": "<base64>", "valid_from_time": "<RFC 3339>", "valid_until_time": null}]}`. All that is
    /// wrong is told, and no seed is.
    pub fn from_json(text: &str) -> Result<Self, Findings> {
        let mut violations = Findings::new();
        let file: RingFile = match serde_json::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                // serde's words may quote a seed; its place does not.
                let (line, column) = (error.line(), error.column());
                violations.add(
                    "$",
                    format!("is not a key ring: see line {line}, column {column}"),
                );
                return Err(violations);
            }
        };
        if !(1..=KEYS_MAX).contains(&file.keys.len()) {
            violations.add("keys", format!("must be 1..{KEYS_MAX}"));
        }
        let mut ring = BTreeMap::new();
        for (index, key) in file.keys.into_iter().enumerate().take(KEYS_MAX) {
            let field = format!("keys[{index}]");
            if key
                .valid_until_time
                .is_some_and(|until| until <= key.valid_from_time)
            {
                violations.add(
                    format!("{field}.valid_until_time"),
                    "must be after valid_from_time",
                );
            }
            let Some(pair) = key_pair(&key.seed) else {
                violations.add(format!("{field}.seed"), "must be 32 bytes in Base64");
                continue;
            };
            let value = Key {
                pair,
                valid_from: key.valid_from_time,
                valid_until: key.valid_until_time,
            };
            if ring.insert(key.key_id, value).is_some() {
                violations.add(format!("{field}.key_id"), "is the id of another key");
            }
        }
        violations.or_else_refuse(Self(ring))
    }

    /// Signs with the youngest key that is valid at `now`.
    pub fn sign(&self, claims: &Claims, now: DateTime<Utc>) -> Result<SignedCode, SignError> {
        let valid = self
            .0
            .iter()
            .filter(|(_, key)| key.valid_from <= now && !key.is_retired(now));
        let youngest = valid.max_by_key(|(key_id, key)| (key.valid_from, **key_id));
        let (&key_id, key) = youngest.ok_or(SignError::NoKey(now))?;
        let bytes = code::to_sign(key_id, claims)?;
        let mut signature = [0; code::SIGNATURE_BYTES];
        signature.copy_from_slice(key.pair.sign(&bytes).as_ref());
        let code = code::encode(&bytes, &signature);
        Ok(SignedCode { key_id, code })
    }

    /// What a code says, when one of these keys signed it and is in use at `now`. Whether the ticket admits now is another question.
    pub fn verify(&self, code: &str, now: DateTime<Utc>) -> Result<Claims, CodeError> {
        let parsed = code::parse(code)?;
        let key = self
            .0
            .get(&parsed.key_id)
            .ok_or(CodeError::UnknownKey(parsed.key_id))?;
        if key.is_retired(now) {
            return Err(CodeError::RetiredKey(parsed.key_id));
        }
        UnparsedPublicKey::new(&ED25519, key.pair.public_key())
            .verify(&parsed.signed, &parsed.signature)
            .map_err(|_| CodeError::WrongSignature)?;
        Ok(parsed.claims)
    }

    /// The public halves of the keys that are not out of use at `now`, by id.
    #[must_use]
    pub fn public_keys(&self, now: DateTime<Utc>) -> Vec<PublicKey> {
        let in_use = self.0.iter().filter(|(_, key)| !key.is_retired(now));
        in_use
            .map(|(&key_id, key)| PublicKey {
                key_id,
                public_key: key.pair.public_key().as_ref().to_vec(),
                valid_from: key.valid_from,
                valid_until: key.valid_until,
            })
            .collect()
    }
}

impl Key {
    fn is_retired(&self, now: DateTime<Utc>) -> bool {
        self.valid_until.is_some_and(|until| until <= now)
    }
}

fn key_pair(seed: &str) -> Option<Ed25519KeyPair> {
    let seed = STANDARD.decode(seed).ok()?;
    let seed: [u8; SEED_BYTES] = seed.try_into().ok()?;
    Ed25519KeyPair::from_seed_unchecked(&seed).ok()
}
