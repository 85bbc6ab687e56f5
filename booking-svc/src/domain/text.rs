//! What a name may look like.

use thiserror::Error;

use super::limits::{NAME_CHARS_MAX, TEXT_CHARS_MAX};

/// Why a text is not accepted. The message completes "the field ...".
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TextProblem {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than the limit, in characters.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A control character: Postgres cannot store NUL, and nothing prints the others.
    #[error("must not contain control characters")]
    Control,
}

/// Checks a name that has to be there: 1..200 characters.
pub fn check_name(text: &str) -> Result<(), TextProblem> {
    if text.trim().is_empty() {
        return Err(TextProblem::Empty);
    }
    check_label(text)
}

/// Checks a name that may be empty: at most 200 characters.
pub fn check_label(text: &str) -> Result<(), TextProblem> {
    if text.chars().nth(NAME_CHARS_MAX).is_some() {
        return Err(TextProblem::TooLong(NAME_CHARS_MAX));
    }
    if text.chars().any(char::is_control) {
        return Err(TextProblem::Control);
    }
    Ok(())
}

/// Checks a text of several lines: at most 4,000 characters.
pub fn check_text(text: &str) -> Result<(), TextProblem> {
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        return Err(TextProblem::TooLong(TEXT_CHARS_MAX));
    }
    let printable = |char: char| !char.is_control() || matches!(char, '\n' | '\r' | '\t');
    if !text.chars().all(printable) {
        return Err(TextProblem::Control);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_in_characters() {
        assert_eq!(check_name(&"가".repeat(200)), Ok(()));
        assert_eq!(
            check_name(&"가".repeat(201)),
            Err(TextProblem::TooLong(200))
        );
        assert_eq!(check_name(" \u{3000}"), Err(TextProblem::Empty));
        assert_eq!(check_name("A\u{0}"), Err(TextProblem::Control));
        assert_eq!(check_label(""), Ok(()));
    }
    #[test]
    fn a_text_has_lines() {
        assert_eq!(check_text("one\r\n\ttwo"), Ok(()));
        assert_eq!(check_text("bell\u{7}"), Err(TextProblem::Control));
        assert_eq!(check_text(&"a".repeat(4_000)), Ok(()));
        let long = check_text(&"a".repeat(4_001));
        assert_eq!(long, Err(TextProblem::TooLong(4_000)));
    }
}
