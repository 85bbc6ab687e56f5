//! What no compiler checks and everybody relies on: who may import whom, how large a file may grow, which words stay outside.
//!
//! A rule is one function over a [`Tree`]. Each has a committed bad tree under `e2e/bad/`, which it must refuse: a checker that finds
//! nothing anywhere would pass every test but that one.

use std::fmt;

mod comments;
mod crates;
mod environment;
mod files;
mod layers;
pub mod paths;
pub mod tokens;
mod tree;
mod words;

pub use tree::{File, Tree};

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the tree.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl Finding {
    /// A finding in `file`.
    #[must_use]
    pub fn new(file: &File, line: usize, problem: impl Into<String>) -> Self {
        Self {
            path: file.path.clone(),
            line,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.problem)
    }
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, and that of its bad example: `e2e/bad/<name>/`.
    pub name: &'static str,
    /// Every place that breaks it.
    pub check: fn(&Tree) -> Vec<Finding>,
}

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule {
        name: "layers",
        check: layers::check,
    },
    Rule {
        name: "business-words",
        check: words::check,
    },
    Rule {
        name: "file-size",
        check: files::size,
    },
    Rule {
        name: "file-names",
        check: files::names,
    },
    Rule {
        name: "no-todo",
        check: comments::no_todo,
    },
    Rule {
        name: "no-ignored-test",
        check: files::no_ignored_test,
    },
    Rule {
        name: "inherited-lints",
        check: crates::inherited_lints,
    },
    Rule {
        name: "reversible-migrations",
        check: crates::reversible_migrations,
    },
    Rule {
        name: "known-variables",
        check: environment::known_variables,
    },
];
