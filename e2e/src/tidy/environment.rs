//! A README that names a variable nobody reads sends people the wrong way.

use std::collections::BTreeSet;

use super::{Finding, Tree};
use crate::docs::variables;

pub(super) fn known_variables(tree: &Tree) -> Vec<Finding> {
    let known: BTreeSet<&str> = variables::all().map(|variable| variable.name).collect();
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, line) in file.text.lines().enumerate() {
            for name in names(line).filter(|name| !known.contains(name)) {
                let problem = format!("no program reads {name}");
                findings.push(Finding::new(file, at + 1, problem));
            }
        }
    }
    findings
}

/// Variables that a line names; a pattern such as `USHER_*_URL` or `USHER_EDGE_` names none.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '*');
    words.filter(|word| word.starts_with("USHER_") && !word.ends_with('_') && !word.contains('*'))
}
