//! What was found in an input, in the order in which it was found.

use std::error::Error;
use std::fmt;

/// Findings that are kept; the rest is only counted. A person mends a file in rounds, and an answer has to fit in the headers
/// of a gRPC response.
pub const REPORTED_MAX: usize = 32;

/// One thing that is wrong, or odd, about one place of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path of the place, such as `zones[0].rows[3].seats[2].seat_guid`; `$` is the input as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.problem)
    }
}

/// A bounded list of findings: violations, which refuse the input, or warnings, which do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
    more: usize,
}

impl Findings {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one.
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        if self.list.len() < REPORTED_MAX {
            let (field, problem) = (field.into(), problem.into());
            self.list.push(Finding { field, problem });
        } else {
            self.more += 1;
        }
    }

    /// Notes what a check of `field` says.
    pub fn add_refused<E: fmt::Display>(&mut self, field: &str, checked: Result<(), E>) {
        if let Err(problem) = checked {
            self.add(field, problem.to_string());
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The first [`REPORTED_MAX`] of them.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// How many there are besides the listed ones.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// The listed ones, and how many there are besides.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Finding>, usize) {
        (self.list, self.more)
    }

    /// `value` when nothing was found, else the findings.
    pub fn or_else_refuse<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{finding}")?;
        }
        if self.more > 0 {
            write!(formatter, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

impl Error for Findings {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_bound_findings_are_only_counted() {
        let mut findings = Findings::new();
        for index in 0..REPORTED_MAX + 3 {
            findings.add(format!("rows[{index}]"), "is wrong");
        }
        assert_eq!((findings.list().len(), findings.more()), (REPORTED_MAX, 3));
        assert!(
            findings
                .to_string()
                .ends_with("rows[31]: is wrong; and 3 more")
        );
        assert!(findings.or_else_refuse(()).is_err());
        assert_eq!(Findings::new().or_else_refuse(7), Ok(7));
    }
}
