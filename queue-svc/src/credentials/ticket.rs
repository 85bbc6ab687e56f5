//! The waiting ticket: proof of a place, sealed with a key that only this service has. It is no right to enter.
//!
//! Base64url of: version (1 byte), key id (2), epoch (4), generation (4), lane (1), number (8), account (16), and the first 16 bytes of an
//! HMAC-SHA256 over the show and all of that. Its owner holds it, so that the people in line are the copy of the line that no loss of Redis
//! takes.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::keys::{KeyRing, KeysError};
use crate::domain::lane::{Lane, Spot};
use crate::line::Tag;

const VERSION: u8 = 1;
const BODY_BYTES: usize = 36;
const SEAL_BYTES: usize = 16;
const TICKET_BYTES: usize = BODY_BYTES + SEAL_BYTES;
/// Characters of a ticket.
pub const TICKET_CHARS: usize = 70;

/// What a ticket proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Show.
    pub show_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Epoch of the number.
    pub epoch: u64,
    /// Generation it was written in.
    pub generation: u64,
    /// Place.
    pub spot: Spot,
}

/// Why a text is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TicketError {
    /// Not one of ours, of another show, or of a key that is retired.
    #[error("is no ticket of this show")]
    NotValid,
    /// Somebody else's.
    #[error("is the ticket of another account")]
    OfAnother,
}

impl Ticket {
    /// The ticket as its owner gets it.
    pub fn seal(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<String, KeysError> {
        let key = ring.signer(now)?;
        let body = self.body(key.key_id);
        let seal = hmac::sign(&key.tickets, &sealed(self.show_id, &body));
        let mut bytes = body.to_vec();
        bytes.extend(seal.as_ref().iter().take(SEAL_BYTES));
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn body(&self, key_id: u16) -> [u8; BODY_BYTES] {
        // Epochs and generations count operators' acts and losses of a server: 32 bits are more than there will be.
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut body = [0; BODY_BYTES];
        let parts: [&[u8]; 7] = [
            &[VERSION],
            &key_id.to_be_bytes(),
            &small(self.epoch),
            &small(self.generation),
            &[self.spot.lane.number()],
            &self.spot.seq.to_be_bytes(),
            self.account_id.as_bytes(),
        ];
        for (to, from) in body.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        body
    }

    /// The ticket that `text` is, for `account_id` at `show_id`.
    pub fn open(
        text: &str,
        ring: &KeyRing,
        show_id: Uuid,
        account_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Self, TicketError> {
        let ticket = read(text, ring, show_id, now).ok_or(TicketError::NotValid)?;
        if ticket.account_id == account_id {
            Ok(ticket)
        } else {
            Err(TicketError::OfAnother)
        }
    }
}

fn read(text: &str, ring: &KeyRing, show_id: Uuid, now: DateTime<Utc>) -> Option<Ticket> {
    if text.len() != TICKET_CHARS {
        return None;
    }
    let bytes: [u8; TICKET_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (body, seal) = bytes.split_at_checked(BODY_BYTES)?;
    let (version, rest) = body.split_first()?;
    let (key_id, rest) = rest.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (lane, rest) = rest.split_first()?;
    let (seq, account) = rest.split_first_chunk()?;
    if *version != VERSION {
        return None;
    }
    let key = ring.of_id(u16::from_be_bytes(*key_id), now)?;
    let expected = hmac::sign(&key.tickets, &sealed(show_id, body));
    let expected = expected.as_ref().get(..SEAL_BYTES)?;
    aws_lc_rs::constant_time::verify_slices_are_equal(expected, seal).ok()?;
    Some(Ticket {
        show_id,
        account_id: Uuid::from_slice(account).ok()?,
        epoch: u32::from_be_bytes(*epoch).into(),
        generation: u32::from_be_bytes(*generation).into(),
        spot: Spot {
            lane: Lane::of(i64::from(*lane))?,
            seq: u64::from_be_bytes(*seq),
        },
    })
}

fn sealed(show_id: Uuid, body: &[u8]) -> Vec<u8> {
    [show_id.as_bytes(), body].concat()
}

/// How Redis knows an account in a room with so many buckets: nobody can make two accounts meet.
#[must_use]
pub fn tag(ring: &KeyRing, show_id: Uuid, epoch: u64, account_id: Uuid, buckets: u32) -> Tag {
    let told = [
        show_id.as_bytes().as_slice(),
        &epoch.to_be_bytes(),
        account_id.as_bytes(),
    ]
    .concat();
    let digest = hmac::sign(ring.accounts(), &told);
    let mut bytes = digest.as_ref().iter().copied();
    let mut take = || bytes.next().unwrap_or_default();
    let tag: [u8; 10] = std::array::from_fn(|_| take());
    let bucket = u32::from_be_bytes(std::array::from_fn(|_| take()));
    Tag {
        digest: tag,
        bucket: bucket.checked_rem(buckets).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::tests::{at, two};
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            show_id: mesh::id::new(),
            account_id: mesh::id::new(),
            epoch: 3,
            generation: 7,
            spot: Spot {
                lane: Lane::Access,
                seq: 9_876_543_210,
            },
        }
    }

    #[test]
    fn a_ticket_comes_back_as_it_was_as_long_as_its_key_is_known() {
        let (ring, ticket) = (two(), ticket());
        let text = ticket.seal(&ring, at(10)).unwrap();
        assert_eq!(text.len(), TICKET_CHARS);
        let open =
            |second| Ticket::open(&text, &ring, ticket.show_id, ticket.account_id, at(second));
        assert_eq!(open(219), Ok(ticket));
        assert_eq!(open(220), Err(TicketError::NotValid));
    }

    #[test]
    fn another_account_another_show_and_any_changed_bit_are_refused() {
        let (ring, ticket) = (two(), ticket());
        let text = ticket.seal(&ring, at(10)).unwrap();
        let open = |text: &str, show_id, account_id| {
            Ticket::open(text, &ring, show_id, account_id, at(10))
        };
        let other = mesh::id::new();
        assert_eq!(
            open(&text, ticket.show_id, other),
            Err(TicketError::OfAnother)
        );
        assert_eq!(
            open(&text, other, ticket.account_id),
            Err(TicketError::NotValid)
        );
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(
                open(&changed, ticket.show_id, ticket.account_id),
                Err(TicketError::NotValid),
                "{bit}"
            );
        }
        for nonsense in ["", "x", &text[1..], &format!("{text}A")] {
            assert_eq!(
                open(nonsense, ticket.show_id, ticket.account_id),
                Err(TicketError::NotValid)
            );
        }
    }

    #[test]
    fn tags_differ_by_account_show_and_epoch_and_fill_the_buckets() {
        let (ring, show_id) = (two(), mesh::id::new());
        let account = mesh::id::new();
        let first = tag(&ring, show_id, 1, account, 64);
        assert_eq!(tag(&ring, show_id, 1, account, 64), first);
        for other in [
            tag(&ring, show_id, 2, account, 64),
            tag(&ring, mesh::id::new(), 1, account, 64),
            tag(&ring, show_id, 1, mesh::id::new(), 64),
        ] {
            assert_ne!(other.digest, first.digest);
        }
        let mut filled = [0_u32; 64];
        for _ in 0..6_400 {
            let tag = tag(&ring, show_id, 1, mesh::id::new(), 64);
            filled[usize::try_from(tag.bucket).unwrap()] += 1;
        }
        assert!(
            filled.iter().all(|count| (40..180).contains(count)),
            "{filled:?}"
        );
    }
}
