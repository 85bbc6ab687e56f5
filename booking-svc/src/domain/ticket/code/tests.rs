use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::domain::ticket::keys::{KeyRing, SignError};

/// Made by another implementation (Python's cryptography and a Base45 of ten lines), so that ours is not compared with itself.
const VECTORS: &str = include_str!("vectors.json");

#[derive(Deserialize)]
struct Vectors {
    keys: serde_json::Value,
    public_keys: std::collections::BTreeMap<u16, String>,
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Accepted {
    name: String,
    key_id: u16,
    ticket_id: Uuid,
    performance_id: Uuid,
    ord: u32,
    seq: u16,
    reissue: u8,
    valid_from: DateTime<Utc>,
    valid_until: DateTime<Utc>,
    signed: String,
    signature: String,
    code: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    code: String,
    error: String,
}

impl Accepted {
    fn claims(&self) -> Claims {
        Claims {
            ticket_id: self.ticket_id,
            performance_id: self.performance_id,
            ord: self.ord,
            seq: self.seq,
            reissue: self.reissue,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        }
    }
}

fn vectors() -> (Vectors, KeyRing) {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let keys = serde_json::json!({"keys": vectors.keys});
    let ring = KeyRing::from_json(&keys.to_string()).unwrap();
    (vectors, ring)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    time("2026-11-21T00:00:00Z")
}

fn ring(keys: &[(u16, u8)]) -> KeyRing {
    let key = |&(key_id, seed): &(u16, u8)| {
        let seed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [seed; 32]);
        serde_json::json!({"key_id": key_id, "seed": seed, "valid_from_time": "2026-01-01T00:00:00Z", "valid_until_time": null})
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    KeyRing::from_json(&serde_json::json!({ "keys": keys }).to_string()).unwrap()
}

#[test]
fn published_codes_are_what_we_write_and_read() {
    let (vectors, ring) = vectors();
    assert_eq!(vectors.accepted.len(), 4);
    for vector in vectors.accepted {
        let name = &vector.name;
        let claims = vector.claims();
        let parsed = parse(&vector.code).unwrap();
        assert_eq!(parsed.key_id, vector.key_id, "{name}");
        assert_eq!(
            hex(&to_sign(vector.key_id, &claims).unwrap()),
            vector.signed,
            "{name}"
        );
        assert_eq!(hex(&parsed.signature), vector.signature, "{name}");
        assert_eq!(
            encode(&parsed.signed, &parsed.signature),
            vector.code,
            "{name}"
        );
        assert_eq!(vector.code.len(), CODE_CHARS, "{name}");
        assert_eq!(ring.verify(&vector.code, now()), Ok(claims), "{name}");
        // Ed25519 has one signature for one message: the ring signs the very same text.
        if vector.key_id == 258 {
            assert_eq!(
                ring.sign(&claims, now()).unwrap().code,
                vector.code,
                "{name}"
            );
        }
    }
    for key in ring.public_keys(now()) {
        assert_eq!(hex(&key.public_key), vectors.public_keys[&key.key_id]);
    }
}

#[test]
fn published_refusals_are_ours() {
    let (vectors, ring) = vectors();
    assert!(vectors.refused.len() >= 15);
    for vector in vectors.refused {
        let error = ring.verify(&vector.code, now()).unwrap_err();
        assert_eq!(format!("{error:?}"), vector.error, "{}", vector.name);
    }
}

#[test]
fn a_window_opens_a_day_before_the_start() {
    let (start, end) = (time("2026-03-01T19:00:00Z"), time("2026-03-01T22:00:00Z"));
    assert_eq!(validity(start, end), (time("2026-02-28T19:00:00Z"), end));
}

#[test]
fn times_that_do_not_fit_are_not_written() {
    let (vectors, ring) = vectors();
    let mut claims = vectors.accepted[0].claims();
    let before_1970 = time("1969-12-31T23:59:59Z");
    claims.valid_from = before_1970;
    let refused = Err(SignError::TimeOutOfRange(TimeOutOfRange(before_1970)));
    assert_eq!(ring.sign(&claims, now()), refused);
    claims.valid_from = DateTime::from_timestamp((1 << 40) - 1, 0).unwrap();
    assert!(ring.sign(&claims, now()).is_ok());
    claims.valid_from = DateTime::from_timestamp(1 << 40, 0).unwrap();
    assert!(ring.sign(&claims, now()).is_err());
}

prop_compose! {
    fn any_claims()(
        ids in any::<[u128; 2]>(),
        ord in any::<u32>(),
        seq in any::<u16>(),
        reissue in any::<u8>(),
        times in [0_i64..1 << 40, 0_i64..1 << 40],
    ) -> Claims {
        Claims {
            ticket_id: Uuid::from_u128(ids[0]),
            performance_id: Uuid::from_u128(ids[1]),
            ord,
            seq,
            reissue,
            valid_from: DateTime::from_timestamp(times[0], 0).unwrap(),
            valid_until: DateTime::from_timestamp(times[1], 0).unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn what_was_signed_is_read(claims in any_claims(), key_id in any::<u16>()) {
        let ring = ring(&[(key_id, 7)]);
        let signed = ring.sign(&claims, now()).unwrap();
        prop_assert_eq!(signed.key_id, key_id);
        prop_assert_eq!(signed.code.len(), CODE_CHARS);
        prop_assert_eq!(ring.verify(&signed.code, now()), Ok(claims));
    }

    /// One changed bit, anywhere in the bytes, and nobody is admitted.
    #[test]
    fn a_flipped_bit_of_the_bytes_is_refused(claims in any_claims(), bit in 0_usize..(SIGNED_BYTES + SIGNATURE_BYTES) * 8) {
        // Every key id names a key of the ring, so that a flip there has to be caught by the signature.
        let ring = ring(&[(0, 7), (1, 8), (2, 9), (3, 7)]);
        let code = ring.sign(&claims, now()).unwrap().code;
        let mut bytes = base45::decode(&code).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(ring.verify(&base45::encode(bytes), now()).is_err());
    }

    /// The same for the text, which is what a scanner hands over.
    #[test]
    fn a_flipped_bit_of_the_text_is_refused(claims in any_claims(), bit in 0_usize..CODE_CHARS * 7) {
        let ring = ring(&[(1, 7)]);
        let mut text = ring.sign(&claims, now()).unwrap().code.into_bytes();
        text[bit / 7] ^= 1 << (bit % 7);
        let text = String::from_utf8(text).unwrap();
        prop_assert!(ring.verify(&text, now()).is_err());
    }

    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        prop_assert!(ring(&[(1, 7)]).verify(&text, now()).is_err());
    }
}
