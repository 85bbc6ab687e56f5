//! What can be wrong with the annotations of a descriptor pool.

use std::fmt;

/// One mistake. The texts name the method, so that its author finds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The pool lacks a file that this crate reads by name.
    #[error("the descriptor set lacks {file}; include it, with its imports")]
    MissingFile {
        /// Path of the file.
        file: &'static str,
    },
    /// A rule that cannot be served.
    #[error("{method}: {rule}: {wrong}")]
    Rule {
        /// Full name of the method.
        method: String,
        /// The template, or what stands for it.
        rule: String,
        /// What is wrong.
        wrong: String,
    },
    /// Two methods, or two bindings of one, with the same HTTP method and template.
    #[error("{second}: {route} is already the route of {first}")]
    Duplicate {
        /// Full name of the method that has it.
        first: String,
        /// Full name of the method that wants it too.
        second: String,
        /// HTTP method and template.
        route: String,
    },
}

/// Every mistake of a pool. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildErrors(pub Vec<BuildError>);

impl std::error::Error for BuildErrors {}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl From<BuildError> for BuildErrors {
    fn from(error: BuildError) -> Self {
        Self(vec![error])
    }
}
