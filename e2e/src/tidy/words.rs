//! Mechanism knows no business: adding a service needs no line in mesh, edge-proxy or transcode.

use super::{File, Finding, Tree};

/// Crates of mechanism.
const MECHANISM: [&str; 3] = ["mesh", "edge-proxy", "transcode"];

/// Nouns of the businesses. `hold`, `holds` and `show` are verbs too and stay out of the list.
const WORDS: [&str; 22] = [
    "account-svc",
    "booking",
    "bookings",
    "booking-svc",
    "coupon",
    "coupon-svc",
    "coupons",
    "hall",
    "halls",
    "payment",
    "payments",
    "payment-svc",
    "performance",
    "performances",
    "queue-svc",
    "refund",
    "saga",
    "sagas",
    "seat",
    "seats",
    "venue",
    "venues",
];

/// A tool for people: it makes the keys that tickets are signed with.
const EXEMPT: [&str; 1] = ["mesh/src/bin/usher-token.rs"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let watched = |file: &&File| {
        MECHANISM.contains(&file.crate_name())
            && file.module().is_some()
            && !file.is_test()
            && !EXEMPT.contains(&file.path.as_str())
    };
    let mut findings = Vec::new();
    for file in tree.rust().filter(watched) {
        // Tests stand at the end of a file, and speak of what they please.
        let lines = file
            .text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]");
        for (at, line) in lines.enumerate() {
            if let Some(word) = business_word(line) {
                let problem = format!("{word:?} is a word of a business");
                findings.push(Finding::new(file, at + 1, problem));
            }
        }
    }
    findings
}

fn business_word(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words
        .filter(|word| !word.is_empty())
        .find_map(|word| WORDS.into_iter().find(|known| *known == word))
}
