//! No business has a word in this crate: adding a method needs no code here.

use std::fs;
use std::path::Path;

/// Words of the businesses behind the door.
const WORDS: [&str; 20] = [
    "account-svc",
    "booking",
    "bookings",
    "coupon",
    "coupons",
    "hall",
    "halls",
    "hold",
    "holds",
    "payment",
    "payments",
    "performance",
    "refund",
    "saga",
    "seat",
    "seats",
    "show",
    "ticket",
    "tickets",
    "venue",
];

/// Words of `WORDS` in a text, with their lines.
fn found(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let known = words
            .flat_map(|word| word.split('_'))
            .filter(|word| WORDS.contains(word));
        found.extend(known.map(|word| format!("line {}: {word}", at + 1)));
    }
    found
}

fn sources(folder: &Path, all: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else {
            all.push(path);
        }
    }
}

#[test]
fn the_source_knows_no_business() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let words = found(&fs::read_to_string(&file).unwrap());
        assert!(words.is_empty(), "{}: {words:?}", file.display());
    }
}

#[test]
fn a_word_of_a_business_is_found() {
    let bad = "fn a() {}\n// Routes of usher.booking.v1\nlet ticket_id = 1; threshold();\n";
    assert_eq!(found(bad), ["line 2: booking", "line 3: ticket"]);
}
