//! The manifests give each program the variables that it reads, and every one that it needs. Their shape is checked by `dev/k8s`.

use std::collections::BTreeSet;
use std::fs;

use e2e::docs::{root, variables};

/// A program and the file that runs it.
const MANIFESTS: [(&str, &str); 6] = [
    ("booking-svc", "k8s/base/booking-svc.yaml"),
    ("coupon-svc", "k8s/base/coupon-svc.yaml"),
    ("edge-proxy", "k8s/base/edge-proxy.yaml"),
    ("payment-svc", "k8s/base/payment-svc.yaml"),
    ("queue-svc", "k8s/base/queue-svc.yaml"),
    ("pg-sim", "k8s/overlays/dev/pg-sim.yaml"),
];

/// Variables that a text names.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let words = words.filter(|word| word.starts_with("USHER_"));
    words.map(str::to_owned).collect()
}

/// What is wrong with the variables that a program is given.
fn wrong(program: &str, given: &BTreeSet<String>) -> Vec<String> {
    let known = variables::of(program);
    assert!(!known.is_empty(), "{program} is a program");
    let reads = |name: &String| known.iter().any(|variable| variable.name == name);
    let unread = given.iter().filter(|name| !reads(name));
    let unread = unread.map(|name| format!("{program} does not read {name}"));
    let needed = known.iter().filter(|variable| variable.required);
    let missing = needed.filter(|variable| !given.contains(variable.name));
    let missing = missing.map(|variable| format!("{program} needs {}", variable.name));
    unread.chain(missing).collect()
}

#[test]
fn each_program_gets_what_it_reads() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let shared = names(&read("k8s/base/kustomization.yaml"));
    assert!(!shared.is_empty());
    for (program, path) in MANIFESTS {
        let text = read(path);
        assert!(text.contains(&format!("image: usher/{program}")), "{path}");
        let mut given = names(&text);
        if text.contains("configMapRef: {name: usher}") {
            given.extend(shared.iter().cloned());
        }
        assert_eq!(wrong(program, &given), [""; 0], "{path}");
    }
    let files = fs::read_dir(root().join("k8s/base")).unwrap();
    assert_eq!(
        files.count(),
        MANIFESTS.len(),
        "five services and the list of them"
    );
}

#[test]
fn a_variable_too_much_and_one_too_few_are_told() {
    let given = names("- {name: USHER_LISTEN}\n- {name: USHER_LISTENS}");
    let wrong = wrong("pg-sim", &given);
    assert_eq!(
        wrong,
        [
            "pg-sim does not read USHER_LISTENS",
            "pg-sim needs USHER_TOSS_SECRET"
        ]
    );
}
