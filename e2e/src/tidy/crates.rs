//! What every crate has in common.

use super::{Finding, Tree};

/// A crate that does not inherit the lints is checked by nobody.
pub(super) fn inherited_lints(tree: &Tree) -> Vec<Finding> {
    let manifests = tree
        .files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    manifests
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| Finding::new(file, 1, "add: [lints] workspace = true"))
        .collect()
}

/// Whoever can go forward can go back.
pub(super) fn reversible_migrations(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(folder) = file.path.strip_suffix("/up.sql") else {
            continue;
        };
        match tree.file(&format!("{folder}/down.sql")) {
            None => findings.push(Finding::new(file, 1, "down.sql is missing beside it")),
            Some(down) if !says_something(&down.text) => {
                findings.push(Finding::new(down, 1, "takes nothing back"));
            }
            Some(_) => {}
        }
    }
    findings
}

fn says_something(sql: &str) -> bool {
    let mut lines = sql.lines().map(str::trim);
    lines.any(|line| !line.is_empty() && !line.starts_with("--"))
}
