//! What comments may not say.

use super::tokens::Tokens;
use super::{Finding, Tree};

/// Marks of work left for others.
const MARKS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

pub(super) fn no_todo(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for comment in Tokens::of(&file.text).comments {
            let mut words = comment.text.split(|c: char| !c.is_ascii_alphanumeric());
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                let problem = format!("{mark}: do it, or open an issue");
                findings.push(Finding::new(file, comment.line, problem));
            }
        }
    }
    findings
}
