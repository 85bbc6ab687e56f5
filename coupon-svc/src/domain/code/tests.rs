use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn key(number: u8) -> CodeKey {
    format!("{number:032}").parse().unwrap()
}

#[test]
fn codes_follow_from_key_seed_and_number_alone() {
    let of = |key: &CodeKey, seed: u8| -> Vec<String> {
        let codes = (0..100).map(|n| key.nth(&[seed; SEED_BYTES], n).shown());
        codes.collect()
    };
    let all = [of(&key(1), 1), of(&key(1), 2), of(&key(2), 1)];
    assert_eq!(all[0], of(&key(1), 1));
    let different: BTreeSet<&String> = all.iter().flatten().collect();
    assert_eq!(different.len(), 300);
    for code in different {
        let groups: Vec<&str> = code.split('-').collect();
        assert_eq!(groups.len(), 4, "{code}");
        let good = |group: &&str| group.len() == 4 && group.bytes().all(|c| ALPHABET.contains(&c));
        assert!(groups.iter().all(good), "{code}");
    }
}

#[test]
fn every_bit_counts() {
    assert_eq!(Code::of([0; 10]).shown(), "0000-0000-0000-0000");
    assert_eq!(Code::of([255; 10]).shown(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    let flipped: BTreeSet<String> = (0..80)
        .map(|bit| {
            let mut bytes = [0; 10];
            bytes[bit / 8] = 1 << (bit % 8);
            Code::of(bytes).shown()
        })
        .collect();
    assert_eq!(flipped.len(), 80);
}

#[test]
fn what_no_code_looks_like_is_none() {
    for text in [
        "",
        "-",
        "ABC-DEF",
        "SPRING_2026",
        "Fr\u{fc}hling 2026",
        &"A".repeat(CHARS_MAX + 1),
        &"A".repeat(1_000_000),
    ] {
        assert!(Code::read(text).is_none(), "{}", text.len());
    }
    for text in ["SPRING-2026", "12345678", &"U".repeat(CHARS_MAX)] {
        assert!(Code::read(text).is_some(), "{text}");
    }
    assert!("1".repeat(KEY_BYTES_MIN - 1).parse::<CodeKey>().is_err());
}

#[test]
fn nothing_shows_a_code_or_the_key() {
    let code = Code::read("SPRING-2026").unwrap();
    assert_eq!(
        format!("{:?} {:?}", code, key(1)),
        "Code CodeKey".to_owned()
    );
}

proptest! {
    #[test]
    fn however_it_is_typed_it_is_the_same_code(bytes: [u8; 10], lower: u32, swaps: u32, gaps: u32) {
        let code = Code::of(bytes);
        let typed: String = code
            .0
            .char_indices()
            .map(|(at, c)| {
                let c = match (c, swaps >> (at % 32) & 1) {
                    ('1', 1) if lower >> (31 - at % 32) & 1 == 1 => 'L',
                    ('1', 1) => 'I',
                    ('0', 1) => 'O',
                    _ => c,
                };
                let c = if lower >> (at % 32) & 1 == 1 { c.to_ascii_lowercase() } else { c };
                if gaps >> (at % 32) & 1 == 1 { format!(" {c}-") } else { c.to_string() }
            })
            .collect();
        prop_assert!(Code::read(&typed) == Some(code.clone()), "{} {}", typed, code.shown());
        prop_assert!(key(1).hash(&code) == key(1).hash(&Code::read(&code.shown()).unwrap()));
        prop_assert!(key(1).hash(&code) != key(2).hash(&code));
    }
}
