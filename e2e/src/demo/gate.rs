//! What a gate does with a ticket code, written from the published layout and not from the code that signs.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use thiserror::Error;
use uuid::Uuid;

/// Bytes of a version 1 code that are signed: version, key, ticket, performance, unit, number, reissue, two times.
const SIGNED: usize = 52;
/// Bytes of an Ed25519 signature.
const SIGNATURE: usize = 64;

/// Why a code admits nobody.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GateError {
    /// Not Base45, or not of the right length.
    #[error("it is no ticket code")]
    Unreadable,
    /// A version this gate does not know.
    #[error("it has version {0}")]
    Version(u8),
    /// A key that was not published.
    #[error("key {0} is not published")]
    UnknownKey(u16),
    /// Not signed by that key.
    #[error("its signature is wrong")]
    Forged,
}

/// What a genuine code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Ticket.
    pub ticket_id: Uuid,
    /// Performance.
    pub performance_id: Uuid,
    /// Key that signed.
    pub key_id: u16,
}

/// Checks a code against the published keys, given as (key_id, public key).
pub fn verify(code: &str, keys: &[(u16, Vec<u8>)]) -> Result<Verified, GateError> {
    let bytes = base45::decode(code).map_err(|_| GateError::Unreadable)?;
    let version = bytes.first().copied().ok_or(GateError::Unreadable)?;
    if version != 1 {
        return Err(GateError::Version(version));
    }
    let (signed, signature) = bytes
        .split_at_checked(SIGNED)
        .ok_or(GateError::Unreadable)?;
    if signature.len() != SIGNATURE {
        return Err(GateError::Unreadable);
    }
    let key_id = u16::from_be_bytes([signed[1], signed[2]]);
    let key = keys
        .iter()
        .find(|(id, _)| *id == key_id)
        .ok_or(GateError::UnknownKey(key_id))?;
    UnparsedPublicKey::new(&ED25519, &key.1)
        .verify(signed, signature)
        .map_err(|_| GateError::Forged)?;
    let uuid = |from: usize| {
        Uuid::from_slice(signed.get(from..from + 16).unwrap_or_default())
            .map_err(|_| GateError::Unreadable)
    };
    Ok(Verified {
        ticket_id: uuid(3)?,
        performance_id: uuid(19)?,
        key_id,
    })
}
