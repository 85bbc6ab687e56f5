//! Codes that invite to a lane.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::keys::KeyRing;
use crate::domain::lane::Lane;

/// Bytes of a code: nobody guesses 96 bits.
const CODE_BYTES: usize = 12;
/// Characters of a code.
pub const CODE_CHARS: usize = 16;

/// The codes of one order, each as text. The same order gives the same codes, so that a lost answer costs nothing and no code is stored.
#[must_use]
pub fn codes(
    ring: &KeyRing,
    show_id: Uuid,
    ordered_by: Uuid,
    request_id: Uuid,
    lane: Lane,
    count: u32,
) -> Vec<String> {
    let code = |number: u32| {
        let told = [
            show_id.as_bytes().as_slice(),
            ordered_by.as_bytes(),
            request_id.as_bytes(),
            &[lane.number()],
            &number.to_be_bytes(),
        ]
        .concat();
        let tag = hmac::sign(ring.invitations(), &told);
        let bytes: Vec<u8> = tag.as_ref().iter().copied().take(CODE_BYTES).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    };
    (0..count).map(code).collect()
}

/// What is kept of a code.
#[must_use]
pub fn digest_of(code: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, code.as_bytes());
    let mut bytes = digest.as_ref().iter().copied();
    std::array::from_fn(|_| bytes.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::keys::tests::two;
    use super::*;

    #[test]
    fn codes_are_those_of_their_order_alone() {
        let (ring, show_id, seller, request) =
            (two(), mesh::id::new(), mesh::id::new(), mesh::id::new());
        let first = codes(&ring, show_id, seller, request, Lane::Presale, 1_000);
        assert_eq!(
            first,
            codes(&ring, show_id, seller, request, Lane::Presale, 1_000)
        );
        let mut all: BTreeSet<String> = first.into_iter().collect();
        assert!(all.iter().all(|code| code.len() == CODE_CHARS));
        all.extend(codes(&ring, show_id, seller, request, Lane::Access, 1_000));
        all.extend(codes(
            &ring,
            show_id,
            seller,
            mesh::id::new(),
            Lane::Presale,
            1_000,
        ));
        all.extend(codes(
            &ring,
            show_id,
            mesh::id::new(),
            request,
            Lane::Presale,
            1_000,
        ));
        all.extend(codes(
            &ring,
            mesh::id::new(),
            seller,
            request,
            Lane::Presale,
            1_000,
        ));
        assert_eq!(all.len(), 5_000);
    }
}
