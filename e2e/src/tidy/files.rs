//! Sizes and names of files.

use super::tokens::{Token, Tokens};
use super::{Finding, Tree};

/// A longer file is split by noun.
const LINES_MAX: usize = 400;
/// main wires, lib does.
const MAIN_LINES_MAX: usize = 60;
/// The README of a crate is a map, not a book.
const README_LINES_MAX: usize = 60;

/// Names that say nothing: a file is named after a noun or a verb of its domain.
const EMPTY_NAMES: [&str; 7] = [
    "helper", "helpers", "util", "utils", "common", "manager", "misc",
];

pub(super) fn size(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let in_crate = file.path.contains('/');
        let max = match file.path.rsplit('/').next() {
            Some("main.rs") if !file.is_test() => MAIN_LINES_MAX,
            Some("README.md") if in_crate && file.path.matches('/').count() == 1 => {
                README_LINES_MAX
            }
            Some(_) if file.is_rust() && !file.is_test() => LINES_MAX,
            _ => continue,
        };
        let lines = file.text.lines().count();
        if lines > max {
            let problem = format!("{lines} lines, at most {max} are allowed: split it by noun");
            findings.push(Finding::new(file, max + 1, problem));
        }
    }
    findings
}

pub(super) fn names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if file.path.ends_with("/mod.rs") {
            findings.push(Finding::new(
                file,
                1,
                "a module foo is foo.rs, not foo/mod.rs",
            ));
        }
        let name = file.path.split('/').find(|part| {
            let name = part.trim_end_matches(".rs");
            EMPTY_NAMES.contains(&name)
        });
        if let Some(name) = name {
            let problem = format!("{name} says nothing about what is inside");
            findings.push(Finding::new(file, 1, problem));
        }
    }
    findings
}

/// A test that does not run tests nothing.
pub(super) fn no_ignored_test(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = Tokens::of(&file.text).code;
        for window in code.windows(3) {
            let [first, second, third] = window else {
                continue;
            };
            let attribute = first.token == Token::Mark('#') && second.token == Token::Mark('[');
            if attribute && third.token == Token::Word("ignore".to_owned()) {
                findings.push(Finding::new(file, third.line, "no test is ignored"));
            }
        }
    }
    findings
}
