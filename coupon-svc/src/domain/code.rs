//! Codes: what people type, and what is kept of it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

/// Digits and letters without I, L, O and U (Crockford's base 32): nothing that looks like something else.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Bytes of a random code: with a billion codes in force, a hundred thousand million guesses find one in ten thousand billion cases.
const RANDOM_BYTES: usize = 10;
/// Characters of a group, as people read them aloud.
const GROUP: usize = 4;
/// Fewest characters of a code: shorter texts are guessed in days, whatever the limits.
pub const CHARS_MIN: usize = 8;
/// Most characters of a code: what fits a poster.
pub const CHARS_MAX: usize = 32;
/// Codes of a batch: a file that spreadsheets open.
pub const BATCH_MAX: u32 = 100_000;
/// Bytes of the key at least: as many as of its hashes.
pub const KEY_BYTES_MIN: usize = 32;
/// Bytes of a seed.
pub const SEED_BYTES: usize = 32;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// What is kept of a code.
pub type Hash = [u8; HASH_BYTES];
/// What codes of a batch follow from, besides the key.
pub type Seed = [u8; SEED_BYTES];

/// A code as it is compared: letters and digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code")
    }
}

impl Code {
    /// Reads what somebody typed: any case, spaces and dashes anywhere, and the letters that look like digits. `None`: no code looks so.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let typed = text.chars().filter(|c| !matches!(c, ' ' | '-'));
        let meant = typed.map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => Some('1'),
            'O' => Some('0'),
            c if c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        });
        // One more than fits tells that it is too long, and bounds the work.
        let code: String = meant.take(CHARS_MAX + 1).collect::<Option<_>>()?;
        (CHARS_MIN..=CHARS_MAX)
            .contains(&code.len())
            .then_some(Self(code))
    }

    fn of(bytes: [u8; RANDOM_BYTES]) -> Self {
        let (mut code, mut held, mut bits) = (String::new(), 0_u32, 0);
        for byte in bytes {
            held = (held << 8) | u32::from(byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                let digit = (held >> bits) & 31;
                let digit = usize::try_from(digit).unwrap_or_default();
                code.extend(ALPHABET.get(digit).copied().map(char::from));
            }
        }
        Self(code)
    }

    /// As it is printed: in groups.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = String::with_capacity(self.0.len() * 5 / GROUP);
        for (at, character) in self.0.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                shown.push('-');
            }
            shown.push(character);
        }
        shown
    }
}

/// Codes that were made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Id.
    pub batch_id: Uuid,
    /// Campaign.
    pub campaign_id: Uuid,
    /// What they follow from.
    pub seed: Seed,
    /// Codes.
    pub codes: u32,
    /// Accounts that can redeem each.
    pub uses_max: i64,
    /// The first so many are there.
    pub stored: u32,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When they stopped working.
    pub revoke_time: Option<DateTime<Utc>>,
}

/// The secret of all codes. Without it neither a seed nor a hash tells anything.
#[derive(Clone)]
pub struct CodeKey(hmac::Key);

impl fmt::Debug for CodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeKey")
    }
}

/// A secret that can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have {KEY_BYTES_MIN} characters or more")]
pub struct KeyTooShort;

impl FromStr for CodeKey {
    type Err = KeyTooShort;

    fn from_str(secret: &str) -> Result<Self, KeyTooShort> {
        if secret.len() < KEY_BYTES_MIN {
            return Err(KeyTooShort);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }
}

impl CodeKey {
    /// What is kept of a code.
    #[must_use]
    pub fn hash(&self, code: &Code) -> Hash {
        self.tag(b"code", &[code.0.as_bytes()])
    }

    /// A random code of a batch, from 0. The same seed gives the same ones.
    #[must_use]
    pub fn nth(&self, seed: &Seed, n: u32) -> Code {
        let tag = self.tag(b"nth", &[seed, &n.to_be_bytes()]);
        let mut bytes = tag.into_iter();
        Code::of(std::array::from_fn(|_| bytes.next().unwrap_or_default()))
    }

    /// A name of this key that tells nothing of it, to count under.
    #[must_use]
    pub fn name(&self) -> String {
        let tag = self.tag(b"name", &[]);
        tag.iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// One use of the key never gives what another one does: the label has its end.
    fn tag(&self, label: &[u8], parts: &[&[u8]]) -> Hash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label);
        context.update(&[0]);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let mut bytes = tag.as_ref().iter().copied();
        std::array::from_fn(|_| bytes.next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
