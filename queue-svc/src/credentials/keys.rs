//! The keys of tickets and passes. Several are known at once, so that a verifier knows a key before it signs.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Deserialize;
use thiserror::Error;

/// Keys of one ring: a new one a month for eight years.
const KEYS_MAX: usize = 100;
/// A key is known for so long after it signs no more: longer than any pass lives.
const AFTER: chrono::Duration = chrono::Duration::minutes(2);
/// What a key for tickets is derived for.
const TICKETS: &[u8] = b"usher waiting ticket 1";
/// What a key for accounts in Redis is derived for.
const ACCOUNTS: &[u8] = b"usher account tag 1";
/// What a key for codes of invitations is derived for.
const INVITATIONS: &[u8] = b"usher invitation 1";

/// Why a ring cannot be used. Never quotes a seed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// Not the JSON of a ring.
    #[error("is not a key ring: see line {line}, column {column}")]
    Json {
        /// Line of the mistake.
        line: usize,
        /// Its column.
        column: usize,
    },
    /// Too few or too many.
    #[error("must have 1..{KEYS_MAX} keys")]
    Count,
    /// A key that is none.
    #[error("keys[{0}].seed must be 32 bytes in Base64")]
    Seed(usize),
    /// Two keys of one id.
    #[error("keys[{0}].key_id is the id of another key")]
    Twice(usize),
    /// Nothing signs.
    #[error("no key signs at {0}")]
    NoneSigns(DateTime<Utc>),
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

/// One key: signs passes, and seals tickets with what is derived from it.
pub struct Keys {
    /// Number that tickets name; passes name [`Keys::kid`].
    pub key_id: u16,
    /// Ed25519 public key.
    pub public: Vec<u8>,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    pub(super) tickets: hmac::Key,
    valid_from: DateTime<Utc>,
    valid_until: Option<DateTime<Utc>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Name of the key in the header of a pass.
    #[must_use]
    pub fn kid(&self) -> String {
        format!("queue-{}", self.key_id)
    }
}

/// Every key that tickets or passes may still carry. Clones share it.
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<[Keys]>,
    accounts: hmac::Key,
    invitations: hmac::Key,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.keys.iter().map(|key| key.key_id);
        formatter.debug_set().entries(ids).finish()
    }
}

impl KeyRing {
    /// Reads `{"keys": [{"key_id": 1, "seed": "<base64>", "valid_from_time": "<RFC 3339>", "valid_until_time": null}]}`. At `now` one of
    /// them has to sign.
    pub fn from_json(text: &str, now: DateTime<Utc>) -> Result<Self, KeysError> {
        let file: RingFile = serde_json::from_str(text).map_err(|error| KeysError::Json {
            // serde's words may quote a seed; its place does not.
            line: error.line(),
            column: error.column(),
        })?;
        if !(1..=KEYS_MAX).contains(&file.keys.len()) {
            return Err(KeysError::Count);
        }
        let mut keys: Vec<Keys> = Vec::new();
        let mut oldest: Option<(u16, Vec<u8>)> = None;
        for (index, key) in file.keys.into_iter().enumerate() {
            let seed = STANDARD
                .decode(&key.seed)
                .ok()
                .filter(|seed| seed.len() == 32);
            let seed = seed.ok_or(KeysError::Seed(index))?;
            if keys.iter().any(|other| other.key_id == key.key_id) {
                return Err(KeysError::Twice(index));
            }
            keys.push(read(&key, &seed).ok_or(KeysError::Seed(index))?);
            if oldest
                .as_ref()
                .is_none_or(|(oldest, _)| key.key_id < *oldest)
            {
                oldest = Some((key.key_id, seed));
            }
        }
        let (_, oldest) = oldest.ok_or(KeysError::Count)?;
        let ring = Self {
            keys: keys.into(),
            accounts: derived(&oldest, ACCOUNTS),
            invitations: derived(&oldest, INVITATIONS),
        };
        ring.signer(now)?;
        Ok(ring)
    }

    /// The youngest key that is valid at `now`.
    pub fn signer(&self, now: DateTime<Utc>) -> Result<&Keys, KeysError> {
        let valid = self
            .keys
            .iter()
            .filter(|key| key.valid_from <= now && !key.is_retired(now));
        let youngest = valid.max_by_key(|key| (key.valid_from, key.key_id));
        youngest.ok_or(KeysError::NoneSigns(now))
    }

    /// Keys that a valid pass may be signed with at `now`, those of the future included.
    pub fn known(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Keys> {
        self.keys.iter().filter(move |key| !key.is_over(now))
    }

    pub(super) fn of_id(&self, key_id: u16, now: DateTime<Utc>) -> Option<&Keys> {
        self.known(now).find(|key| key.key_id == key_id)
    }

    pub(super) fn of_kid(&self, kid: &str, now: DateTime<Utc>) -> Option<&Keys> {
        self.known(now).find(|key| key.kid() == kid)
    }

    /// Digests accounts for Redis. Of the oldest key, because it must not change while a room has people in it.
    pub(super) const fn accounts(&self) -> &hmac::Key {
        &self.accounts
    }

    /// Makes codes of invitations. Of the oldest key, so that a repeated order answers the same ones.
    pub(super) const fn invitations(&self) -> &hmac::Key {
        &self.invitations
    }
}

impl Keys {
    fn is_retired(&self, now: DateTime<Utc>) -> bool {
        self.valid_until.is_some_and(|until| until <= now)
    }

    /// What it signed last has ended, too.
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.valid_until.is_some_and(|until| until + AFTER <= now)
    }
}

fn read(key: &KeyFile, seed: &[u8]) -> Option<Keys> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    let public = pair.public_key().as_ref().to_vec();
    let document = pair.to_pkcs8v1().ok()?;
    Some(Keys {
        key_id: key.key_id,
        signing: EncodingKey::from_ed_der(document.as_ref()),
        verifying: DecodingKey::from_ed_der(&public),
        tickets: derived(seed, TICKETS),
        valid_from: key.valid_from_time,
        valid_until: key.valid_until_time,
        public,
    })
}

fn derived(seed: &[u8], purpose: &[u8]) -> hmac::Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, purpose).as_ref())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn ring(keys: &[(u16, &str, i64, Option<i64>)]) -> String {
        let keys: Vec<serde_json::Value> = keys
            .iter()
            .map(|(key_id, seed, from, until)| {
                serde_json::json!({"key_id": key_id, "seed": seed, "valid_from_time": at(*from), "valid_until_time": until.map(at)})
            })
            .collect();
        serde_json::json!({ "keys": keys }).to_string()
    }

    pub(crate) fn seed(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    /// Key 1 until 100, key 2 from 50 on.
    pub(crate) fn two() -> KeyRing {
        let text = ring(&[(1, &seed(1), 0, Some(100)), (2, &seed(2), 50, None)]);
        KeyRing::from_json(&text, at(0)).unwrap()
    }

    #[test]
    fn the_youngest_valid_key_signs_and_a_future_one_is_known() {
        let ring = two();
        let signer = |second| ring.signer(at(second)).unwrap().key_id;
        assert_eq!(
            [signer(0), signer(49), signer(50), signer(100)],
            [1, 1, 2, 2]
        );
        assert_eq!(ring.known(at(0)).count(), 2);
        assert_eq!(ring.known(at(100)).count(), 2, "its last passes are out");
        assert_eq!(ring.known(at(220)).count(), 1);
        assert!(matches!(ring.signer(at(-1)), Err(KeysError::NoneSigns(_))));
    }

    #[test]
    fn mistakes_are_told_without_the_seed() {
        let read = |text: &str| KeyRing::from_json(text, at(0)).unwrap_err();
        assert_eq!(read("{"), KeysError::Json { line: 1, column: 1 });
        assert_eq!(read(&ring(&[])), KeysError::Count);
        assert_eq!(read(&ring(&[(1, "c2hvcnQ=", 0, None)])), KeysError::Seed(0));
        assert_eq!(
            read(&ring(&[(1, &seed(1), 0, None), (1, &seed(2), 0, None)])),
            KeysError::Twice(1)
        );
        assert_eq!(
            read(&ring(&[(1, &seed(1), 1, None)])),
            KeysError::NoneSigns(at(0))
        );
    }
}
