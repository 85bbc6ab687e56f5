//! Files that are refused, and with which words.

use serde_json::{Value, json};

use super::*;
use crate::domain::finding::REPORTED_MAX;

const SEAT: &str = "/zones/0/rows/0/seats/0";
const AREA: &str = "/zones/0/areas/0";

/// `/zones/0/rows` as a finding spells it: `zones[0].rows`.
fn place(pointer: &str) -> String {
    let mut place = String::new();
    for step in pointer.split('/').skip(1) {
        if step.chars().all(|digit| digit.is_ascii_digit()) {
            place.push_str(&format!("[{step}]"));
        } else {
            let dot = if place.is_empty() { "" } else { "." };
            place.extend([dot, step]);
        }
    }
    place
}

fn first(plan: &Value) -> String {
    read(plan).unwrap_err().list()[0].to_string()
}

#[test]
fn what_the_schema_requires_may_not_be_missing() {
    for (object, key) in [
        ("", "name"),
        ("", "categories"),
        ("", "zones"),
        ("/size", "width"),
        ("/size", "height"),
        ("/categories/0", "name"),
        ("/zones/0", "name"),
        ("/zones/0", "position"),
        ("/zones/0", "rows"),
        ("/zones/0/position", "x"),
        ("/zones/0/position", "y"),
        ("/zones/0/rows/0", "row_number"),
        ("/zones/0/rows/0", "seats"),
        (SEAT, "seat_guid"),
        (SEAT, "seat_number"),
        (SEAT, "category"),
        (SEAT, "position"),
        (AREA, "position"),
    ] {
        let expected = place(&format!("{object}/{key}")) + ": is missing";
        assert_eq!(first(&without(object, key)), expected);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    for (pointer, value, problem) in [
        ("/name", json!(7), "must be a string, not a number"),
        ("/size", json!([]), "must be an object, not an array"),
        ("/categories", json!({}), "must be an array, not an object"),
        ("/zones", json!("none"), "must be an array, not a string"),
        (
            "/zones/0",
            json!("Stalls"),
            "must be an object, not a string",
        ),
        (
            "/zones/0/rows/0/seats",
            json!(true),
            "must be an array, not true or false",
        ),
        (
            "/zones/0/rows/0/seats/0/seat_number",
            json!(1),
            "must be a string, not a number",
        ),
        (
            "/zones/0/rows/0/seats/0/position",
            json!(null),
            "must be an object, not null",
        ),
        (
            "/zones/0/rows/0/seats/0/position/x",
            json!("1"),
            "must be a number, not a string",
        ),
        (
            "/zones/0/areas/0/text",
            json!(1),
            "must be an object, not a number",
        ),
        (
            "/zones/0/areas/0/width",
            json!("1"),
            "must be a number, not a string",
        ),
    ] {
        let expected = format!("{}: {problem}", place(pointer));
        assert_eq!(first(&with(pointer, value)), expected);
    }
    assert_eq!(first(&json!([])), "$: must be an object, not an array");
}

#[test]
fn a_value_out_of_bounds_is_refused() {
    let long = json!("x".repeat(201));
    let too_long = "must have at most 200 characters";
    for (pointer, value, problem) in [
        ("/name", json!(""), "must not be empty"),
        (
            "/name",
            json!("a\u{0}"),
            "must not contain control characters",
        ),
        ("/name", long.clone(), too_long),
        ("/categories/0/color", long.clone(), too_long),
        ("/zones/0/name", json!(" "), "must not be empty"),
        ("/zones/0/rows/0/row_number", json!(""), "must not be empty"),
        (
            "/zones/0/rows/0/seats/0/seat_guid",
            json!(""),
            "must not be empty",
        ),
        (
            "/zones/0/rows/0/seats/0/seat_number",
            long.clone(),
            too_long,
        ),
        ("/zones/0/rows/0/seats/0/category", long.clone(), too_long),
        ("/zones/0/areas/0/text", long, too_long),
        (
            "/zones/0/position/x",
            json!(1_000_001),
            "must be a number of at most 1000000",
        ),
        (
            "/zones/0/position/y",
            json!(-1e300),
            "must be a number of at most 1000000",
        ),
    ] {
        let expected = format!("{}: {problem}", place(pointer));
        assert_eq!(first(&with(pointer, value)), expected);
    }
}

#[test]
fn a_repeated_identity_is_refused_and_names_the_first() {
    let plan = with("/zones/0/rows/0/seats/0/seat_guid", json!("A-2"));
    let expected =
        r#"zones[0].rows[0].seats[1].seat_guid: "A-2" is already zones[0].rows[0].seats[0]"#;
    assert_eq!(lines(&read(&plan).unwrap_err()), [expected]);
    let plan = with("/categories/1/name", json!("VIP"));
    assert_eq!(
        first(&plan),
        "categories[1].name: repeats categories[0].name"
    );
}

#[test]
fn an_unknown_category_is_named_where_it_stands() {
    let found = lines(&read(&without("", "categories")).unwrap_err());
    assert_eq!(
        (found.len(), found[0].as_str()),
        (3, "categories: is missing")
    );
    let plan = with("/categories", json!([{"name": "VIP"}]));
    let expected = r#"zones[0].rows[0].seats[1].category: names "R", which is not in categories"#;
    assert_eq!(lines(&read(&plan).unwrap_err()), [expected]);
}

#[test]
fn indices_of_later_parts_survive_broken_earlier_ones() {
    let mut plan = small();
    let seats = plan.pointer_mut("/zones/0/rows/0/seats").unwrap();
    seats.as_array_mut().unwrap().insert(0, json!(1));
    *plan
        .pointer_mut("/zones/0/rows/0/seats/2/category")
        .unwrap() = json!("S");
    let expected = [
        "zones[0].rows[0].seats[0]: must be an object, not a number",
        "zones[0].rows[0].seats[2].category: names \"S\", which is not in categories",
    ];
    assert_eq!(lines(&read(&plan).unwrap_err()), expected);
}

#[test]
fn every_violation_is_counted_and_the_first_ones_are_listed() {
    let mut plan = house(10, 10);
    for row in 0..10 {
        for seat in 0..10 {
            *plan
                .pointer_mut(&format!("/zones/0/rows/{row}/seats/{seat}/seat_guid"))
                .unwrap() = json!("same");
        }
    }
    let violations = read(&plan).unwrap_err();
    assert_eq!(violations.list().len() + violations.more(), 99);
    assert_eq!(violations.list().len(), REPORTED_MAX);
}

#[test]
fn a_key_given_twice_is_refused() {
    let text = small().to_string().replacen(
        r#""row_number":"A""#,
        r#""row_number":"A","row_number":"B""#,
        1,
    );
    let violations = import(text.as_bytes()).unwrap_err();
    assert_eq!(
        lines(&violations),
        ["zones[0].rows[0].row_number: is given twice"]
    );
}

#[test]
fn what_is_not_json_is_refused_with_line_and_column_after_what_was_found_before() {
    let expected = "zones: is not JSON from line 2, column 6";
    let text = "{\"name\": 1, \"zones\": [\n     x]}";
    let violations = import(text.as_bytes()).unwrap_err();
    assert_eq!(
        lines(&violations),
        ["name: must be a string, not a number", expected]
    );
    for (text, expected) in [
        (&b""[..], "$: is not JSON from line 1, column 1"),
        (
            b"{\"name\": \"\xff\"}",
            "name: is not UTF-8 from line 1, column 11",
        ),
        (b"{} {}", "is not JSON from line 1, column 4"),
        (
            b"{\"zones\": [",
            "zones: is not JSON from line 1, column 12",
        ),
    ] {
        let found = lines(&import(text).unwrap_err());
        assert!(
            found.iter().any(|line| line.ends_with(expected)),
            "{found:?}"
        );
    }
}

#[test]
fn half_a_file_is_not_blamed_for_what_stands_in_the_other_half() {
    let seat =
        r#"{"seat_guid": "g", "seat_number": "1", "category": "R", "position": {"x": 1, "y": 1}}"#;
    let row = format!(r#"{{"row_number": "A", "seats": [{seat}]}}"#);
    let text = format!(
        r#"{{"zones": [{{"name": "Z", "position": {{"x": 0, "y": 0}}, "rows": [{row}]}}], "categories": [{{"#
    );
    let found = lines(&import(text.as_bytes()).unwrap_err());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("categories[0]: is not JSON from"),
        "{found:?}"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let value = "[".repeat(depth) + &"]".repeat(depth);
        small()
            .to_string()
            .replacen('{', &format!("{{\"extra\":{value},"), 1)
    };
    // The object of the plan is the first level.
    assert!(import(nested(31).as_bytes()).is_ok());
    let violations = import(nested(32).as_bytes()).unwrap_err();
    assert!(
        lines(&violations)[0].contains("is nested too deep"),
        "{violations}"
    );
}

#[test]
fn seats_rows_and_categories_are_bounded() {
    assert_eq!(read(&house(100, 1_000)).unwrap().plan.seat_count(), 100_000);
    let crowded = house(101, 1_000);
    let kept = document::read(crowded.to_string().as_bytes()).plan;
    assert_eq!(
        kept.seat_count(),
        100_000,
        "what cannot be kept is not kept"
    );
    let violations = read(&crowded).unwrap_err();
    assert_eq!(
        lines(&violations),
        ["zones: have 101000 seats; at most 100000 are allowed"]
    );
    let violations = read(&house(100_001, 0)).unwrap_err();
    assert_eq!(
        lines(&violations),
        ["zones: have 100001 rows; at most 100000 are allowed"]
    );

    let categories = |count: usize| {
        let mut plan = small();
        let list = plan
            .pointer_mut("/categories")
            .unwrap()
            .as_array_mut()
            .unwrap();
        list.extend((list.len()..count).map(|index| json!({"name": index.to_string()})));
        plan
    };
    assert!(read(&categories(100)).is_ok());
    let violations = read(&categories(101)).unwrap_err();
    assert_eq!(
        lines(&violations),
        ["categories: has 101 entries; at most 100 are allowed"]
    );
}
