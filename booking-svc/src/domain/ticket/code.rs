//! The ticket code, version 1: what a gate can check without a network.
//!
//! Base45 of, big-endian: version 0x01 (1 byte), key_id (2), ticket_id (16), performance_id (16), ord (4), seq (2), reissue (1),
//! valid_from and valid_until in Unix seconds (5 each), then the Ed25519 signature (64) over every byte before it. The published
//! vectors are in `code/vectors.json`.

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// The version this module writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// Bytes that are signed.
pub const SIGNED_BYTES: usize = 52;

/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Characters of a code: three for every two bytes.
pub const CODE_CHARS: usize = (SIGNED_BYTES + SIGNATURE_BYTES) / 2 * 3;

/// How long before the start a ticket admits: doors, rehearsals and the day before.
pub const VALID_BEFORE_START: TimeDelta = TimeDelta::hours(24);

/// Bytes of a time: 34,000 years of seconds.
const TIME_BYTES: usize = 5;

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The ticket.
    pub ticket_id: Uuid,
    /// The performance it admits to.
    pub performance_id: Uuid,
    /// Unit in the performance's pool.
    pub ord: u32,
    /// Number within the booking line, from 0.
    pub seq: u16,
    /// How many times it was issued again, from 0.
    pub reissue: u8,
    /// First instant at which it admits; whole seconds travel.
    pub valid_from: DateTime<Utc>,
    /// Instant from which it admits no more; whole seconds travel.
    pub valid_until: DateTime<Utc>,
}

/// Claims that cannot be written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0} is outside of what a ticket code can say")]
pub struct TimeOutOfRange(pub DateTime<Utc>);

/// Why a code is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CodeError {
    /// Not a code at all.
    #[error("is not Base45")]
    NotBase45,
    /// Written by another edition of the rules: nothing else was looked at.
    #[error("has version {0}, which this reader does not know")]
    UnknownVersion(u8),
    /// Too short or too long.
    #[error("does not have the length of version 1")]
    WrongLength,
    /// No such key.
    #[error("names key {0}, which is not known")]
    UnknownKey(u16),
    /// The key is out of use.
    #[error("names key {0}, which is out of use")]
    RetiredKey(u16),
    /// Not signed by that key, or changed since.
    #[error("has a signature that does not fit")]
    WrongSignature,
}

/// The bytes of a code, taken apart and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Key that is said to have signed.
    pub key_id: u16,
    /// What is said.
    pub claims: Claims,
    /// Bytes under the signature.
    pub signed: [u8; SIGNED_BYTES],
    /// The signature.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// The window of a performance's tickets: from a day before its start until its end.
#[must_use]
pub fn validity(start: DateTime<Utc>, end: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let from = start.checked_sub_signed(VALID_BEFORE_START);
    (from.unwrap_or(start), end)
}

/// The bytes to sign with key `key_id`.
pub fn to_sign(key_id: u16, claims: &Claims) -> Result<[u8; SIGNED_BYTES], TimeOutOfRange> {
    let mut bytes = [0; SIGNED_BYTES];
    let parts: [&[u8]; 9] = [
        &[VERSION],
        &key_id.to_be_bytes(),
        claims.ticket_id.as_bytes(),
        claims.performance_id.as_bytes(),
        &claims.ord.to_be_bytes(),
        &claims.seq.to_be_bytes(),
        &[claims.reissue],
        &seconds(claims.valid_from)?,
        &seconds(claims.valid_until)?,
    ];
    for (target, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *target = *byte;
    }
    Ok(bytes)
}

/// The text of a code.
#[must_use]
pub fn encode(signed: &[u8; SIGNED_BYTES], signature: &[u8; SIGNATURE_BYTES]) -> String {
    base45::encode([signed.as_slice(), signature].concat())
}

/// Takes a code apart. What comes out says nothing until its signature was checked: see [`super::keys::KeyRing::verify`].
pub fn parse(code: &str) -> Result<Parsed, CodeError> {
    // The first three characters hold the version; a later edition may have another length or another rest.
    let head = code.as_bytes().get(..3).ok_or(CodeError::NotBase45)?;
    match base45::decode(head)
        .map_err(|_| CodeError::NotBase45)?
        .first()
    {
        Some(&VERSION) => {}
        Some(&other) => return Err(CodeError::UnknownVersion(other)),
        None => return Err(CodeError::NotBase45),
    }
    if code.len() != CODE_CHARS {
        return Err(CodeError::WrongLength);
    }
    let bytes = base45::decode(code).map_err(|_| CodeError::NotBase45)?;
    let (signed, signature) = bytes
        .split_at_checked(SIGNED_BYTES)
        .ok_or(CodeError::WrongLength)?;
    let signed: [u8; SIGNED_BYTES] = signed.try_into().map_err(|_| CodeError::WrongLength)?;
    let signature = signature.try_into().map_err(|_| CodeError::WrongLength)?;
    let (key_id, claims) = read(&signed).ok_or(CodeError::WrongLength)?;
    Ok(Parsed {
        key_id,
        claims,
        signed,
        signature,
    })
}

fn read(signed: &[u8; SIGNED_BYTES]) -> Option<(u16, Claims)> {
    let (_version, rest) = signed.split_first_chunk::<1>()?;
    let (key_id, rest) = rest.split_first_chunk()?;
    let (ticket_id, rest) = rest.split_first_chunk()?;
    let (performance_id, rest) = rest.split_first_chunk()?;
    let (ord, rest) = rest.split_first_chunk()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let ([reissue], rest) = rest.split_first_chunk::<1>()?;
    let (valid_from, rest) = rest.split_first_chunk()?;
    let (valid_until, _) = rest.split_first_chunk()?;
    let claims = Claims {
        ticket_id: Uuid::from_bytes(*ticket_id),
        performance_id: Uuid::from_bytes(*performance_id),
        ord: u32::from_be_bytes(*ord),
        seq: u16::from_be_bytes(*seq),
        reissue: *reissue,
        valid_from: time(valid_from)?,
        valid_until: time(valid_until)?,
    };
    Some((u16::from_be_bytes(*key_id), claims))
}

fn seconds(time: DateTime<Utc>) -> Result<[u8; TIME_BYTES], TimeOutOfRange> {
    let [0, 0, 0, rest @ ..] = time.timestamp().to_be_bytes() else {
        return Err(TimeOutOfRange(time));
    };
    Ok(rest)
}

fn time(bytes: &[u8; TIME_BYTES]) -> Option<DateTime<Utc>> {
    let mut wide = [0; 8];
    wide[8 - TIME_BYTES..].copy_from_slice(bytes);
    DateTime::from_timestamp(i64::from_be_bytes(wide), 0)
}
