use proptest::prelude::*;

use super::{Segment, Variable, parse};

fn literal(text: &str) -> Segment {
    Segment::Literal(text.to_owned())
}

#[test]
fn parses_every_form() {
    let template = parse("/v1/{a.b=x/*}/y/{rest=**}/z:go").unwrap();
    let segments = [
        literal("v1"),
        literal("x"),
        Segment::Any,
        literal("y"),
        Segment::Rest,
        literal("z"),
    ];
    assert_eq!(template.segments, segments);
    assert_eq!(template.verb.as_deref(), Some("go"));
    let variables = [
        Variable {
            field: "a.b".to_owned(),
            start: 1,
            end: 3,
        },
        Variable {
            field: "rest".to_owned(),
            start: 4,
            end: 5,
        },
    ];
    assert_eq!(template.variables, variables);
    assert_eq!(parse("/").unwrap().segments, []);
    assert_eq!(
        parse("/v1/{id}:cancel").unwrap().segments,
        [literal("v1"), Segment::Any]
    );
}

#[test]
fn captures_behind_a_rest() {
    let template = parse("/v1/{name=**}/x/{id}").unwrap();
    let captures = |path: &[&str]| -> Vec<String> {
        template
            .variables
            .iter()
            .map(|variable| template.capture(variable, path))
            .collect()
    };
    assert_eq!(captures(&["v1", "x", "7"]), ["", "7"]);
    assert_eq!(captures(&["v1", "a", "b%2F", "x", "7"]), ["a/b%2F", "7"]);
}

#[test]
fn refuses_what_is_not_a_template() {
    let cases = [
        ("", "expected `/`"),
        ("v1", "expected `/`"),
        ("/v1/", "expected a literal"),
        ("/v1//x", "expected a literal"),
        ("/v1/{}", "expected a field path"),
        ("/v1/{a..b}", "expected a field path"),
        ("/v1/{a", "expected `}`"),
        ("/v1/{a={b}}", "a variable inside a variable"),
        ("/v1/{a}x", "expected the end"),
        ("/v1/{a}/{a}", "stands twice"),
        ("/v1/**/x/**", "more than once"),
        ("/v1/***", "expected the end"),
        ("/v1/a:b:c", "expected the end"),
        ("/v1/a:", "expected a literal"),
        ("/v1/%41", "expected a literal"),
    ];
    for (text, wanted) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    assert!(
        parse(&"/a".repeat(33))
            .unwrap_err()
            .contains("more than 32")
    );
}

proptest! {
    #[test]
    fn never_panics(text in "[/*{}=:.a%_\u{c88c}]{0,24}") {
        let _ = parse(&text);
    }
}
