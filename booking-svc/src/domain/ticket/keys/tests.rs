use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const SEED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn key(key_id: u16, from: &str, until: Option<&str>) -> Value {
    json!({"key_id": key_id, "seed": SEED, "valid_from_time": from, "valid_until_time": until})
}

fn ring(keys: &[Value]) -> Result<KeyRing, Findings> {
    KeyRing::from_json(&json!({ "keys": keys }).to_string())
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn claims() -> Claims {
    Claims {
        ticket_id: Uuid::nil(),
        performance_id: Uuid::nil(),
        ord: 1,
        seq: 2,
        reissue: 3,
        valid_from: time("2026-05-01T00:00:00Z"),
        valid_until: time("2026-05-02T00:00:00Z"),
    }
}

#[test]
fn the_youngest_valid_key_signs_and_older_ones_still_verify() {
    let ring = ring(&[
        key(1, "2026-01-01T00:00:00Z", Some("2026-04-01T00:00:00Z")),
        key(2, "2026-02-01T00:00:00Z", None),
        key(3, "2026-03-01T00:00:00Z", None),
    ])
    .unwrap();
    let mut old = None;
    for (now, expected) in [
        ("2026-01-01T00:00:00Z", 1),
        ("2026-02-15T00:00:00Z", 2),
        ("2026-03-01T00:00:00Z", 3),
        ("2027-01-01T00:00:00Z", 3),
    ] {
        let signed = ring.sign(&claims(), time(now)).unwrap();
        assert_eq!(signed.key_id, expected, "{now}");
        old.get_or_insert(signed.code);
    }
    let old = old.unwrap();
    assert_eq!(
        ring.verify(&old, time("2026-03-31T23:59:59Z")),
        Ok(claims())
    );
    assert_eq!(
        ring.verify(&old, time("2026-04-01T00:00:00Z")),
        Err(CodeError::RetiredKey(1))
    );
    let ids = |now: &str| {
        ring.public_keys(time(now))
            .iter()
            .map(|key| key.key_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("2026-03-31T23:59:59Z"), [1, 2, 3]);
    assert_eq!(ids("2026-04-01T00:00:00Z"), [2, 3]);
}

#[test]
fn before_the_first_key_nothing_is_signed() {
    let ring = ring(&[key(1, "2026-01-01T00:00:00Z", None)]).unwrap();
    let early = time("2025-12-31T23:59:59Z");
    assert_eq!(ring.sign(&claims(), early), Err(SignError::NoKey(early)));
}

#[test]
fn every_mistake_of_a_file_is_told_and_no_seed_is() {
    let mut short = key(2, "2026-01-01T00:00:00Z", None);
    short["seed"] = json!("AAECAw==");
    let mut odd = key(3, "2026-01-01T00:00:00Z", None);
    odd["seed"] = json!("secret!");
    let violations = ring(&[
        key(1, "2026-01-01T00:00:00Z", None),
        key(1, "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
        short,
        odd,
    ])
    .unwrap_err();
    let found: Vec<_> = violations.list().iter().map(ToString::to_string).collect();
    let expected = [
        "keys[1].valid_until_time: must be after valid_from_time",
        "keys[1].key_id: is the id of another key",
        "keys[2].seed: must be 32 bytes in Base64",
        "keys[3].seed: must be 32 bytes in Base64",
    ];
    assert_eq!(found, expected);
    assert!(ring(&[]).is_err());
    assert!(ring(&vec![key(1, "2026-01-01T00:00:00Z", None); KEYS_MAX + 1]).is_err());
    let quoting = format!(r#"{{"keys": "{SEED}"}}"#);
    let refusal = KeyRing::from_json(&quoting).unwrap_err().to_string();
    assert!(!refusal.contains(SEED), "{refusal}");
}

#[test]
fn a_ring_does_not_print_its_seeds() {
    let ring = ring(&[key(1, "2026-01-01T00:00:00Z", None)]).unwrap();
    assert_eq!(format!("{ring:?}"), "{1}");
}
