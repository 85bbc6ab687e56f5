//! Looks like a test.

#[test]
#[ignore = "REFUSED: flaky"]
fn time_passes() {}

/// `#[ignore]` in a comment is a comment.
#[test]
fn time_stands() {}
