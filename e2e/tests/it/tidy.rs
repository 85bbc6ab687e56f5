//! The rules hold here, and each refuses its bad example.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use e2e::docs::root;
use e2e::tidy::{RULES, Tree};

/// Stands in a bad example on each line that has to be refused.
const MARK: &str = "REFUSED";

fn bad(rule: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bad").join(rule)
}

#[test]
fn the_tree_keeps_every_rule() {
    let tree = Tree::read(&root()).unwrap();
    assert!(tree.rust().count() > 200, "the tree was not read");
    let mut findings = Vec::new();
    for rule in RULES {
        let found = (rule.check)(&tree);
        findings.extend(found.iter().map(|found| format!("{}: {found}", rule.name)));
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn each_rule_refuses_its_bad_example_and_nothing_else_there() {
    for rule in RULES {
        let tree = Tree::read(&bad(rule.name)).unwrap();
        let found: BTreeSet<(String, usize)> = (rule.check)(&tree)
            .into_iter()
            .map(|finding| (finding.path, finding.line))
            .collect();
        let mut marked = BTreeSet::new();
        for file in &tree.files {
            for (at, line) in file.text.lines().enumerate() {
                if line.contains(MARK) {
                    marked.insert((file.path.clone(), at + 1));
                }
            }
        }
        assert!(!marked.is_empty(), "{} has no bad example", rule.name);
        assert_eq!(found, marked, "{}", rule.name);
    }
}
