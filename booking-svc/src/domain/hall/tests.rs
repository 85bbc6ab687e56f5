use std::collections::HashSet;

use super::*;
use crate::domain::plan;

mod demo;

fn row(zone: &str, row: &str, from: u32, to: u32, grade: &str) -> RowRange {
    RowRange {
        zone: zone.to_owned(),
        row: row.to_owned(),
        from,
        to,
        grade: grade.to_owned(),
    }
}

fn area(name: &str, capacity: u32) -> AreaSpec {
    AreaSpec {
        name: name.to_owned(),
        zone: "Floor".to_owned(),
        grade: "Standing".to_owned(),
        capacity,
    }
}

fn row_ref(zone: &str, row: &str) -> RowRef {
    RowRef {
        zone: zone.to_owned(),
        row: row.to_owned(),
    }
}

fn hall(rows: Vec<RowRange>, areas: Vec<AreaSpec>, accessible_rows: Vec<RowRef>) -> HallLayout {
    HallLayout {
        seats: SeatSource::Rows(rows),
        areas,
        accessible_rows,
    }
}

fn refused(layout: &HallLayout) -> Vec<String> {
    let violations = layout.units().unwrap_err();
    violations.list().iter().map(ToString::to_string).collect()
}

#[test]
fn units_are_numbered_through_rows_and_then_areas() {
    let rows = vec![
        row("Stalls", "B", 5, 7, "R"),
        row("Stalls", "A", 1, 2, "VIP"),
    ];
    let layout = hall(
        rows,
        vec![area("Pit", 500), area("Bar", 20)],
        vec![row_ref("Stalls", "A")],
    );
    let units = layout.units().unwrap();
    let seen: Vec<_> = units
        .iter()
        .map(|unit| {
            (
                unit.ord,
                unit.row.as_str(),
                unit.number.as_str(),
                unit.capacity(),
                unit.accessible,
            )
        })
        .collect();
    let expected = [
        (0, "B", "5", 1, false),
        (1, "B", "6", 1, false),
        (2, "B", "7", 1, false),
        (3, "A", "1", 1, true),
        (4, "A", "2", 1, true),
        (5, "", "Pit", 500, false),
        (6, "", "Bar", 20, false),
    ];
    assert_eq!(seen, expected);
    let counts = GradeCounts::of(&units).into_list();
    let seen: Vec<_> = counts
        .iter()
        .map(|count| {
            (
                count.zone.as_str(),
                count.grade.as_str(),
                count.seats,
                count.places,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("Stalls", "R", 3, 0),
            ("Stalls", "VIP", 2, 0),
            ("Floor", "Standing", 0, 520)
        ]
    );
}

#[test]
fn a_plan_gives_seats_their_place_and_areas_their_drawing() {
    let file = br#"{"name": "P", "categories": [{"name": "R"}], "zones": [{"name": "Stalls", "position": {"x": 0, "y": 0},
        "rows": [{"row_number": "A", "seats": [{"seat_guid": "g", "seat_number": "1", "category": "R", "position": {"x": 3, "y": 4}}]}],
        "areas": [{"text": "Pit", "width": 5, "height": 5, "position": {"x": 8, "y": 9}}]}]}"#;
    let layout = HallLayout {
        seats: SeatSource::Plan(plan::import(file).unwrap().plan),
        areas: vec![area("Pit", 10), area("Bar", 10)],
        accessible_rows: Vec::new(),
    };
    let units = layout.units().unwrap();
    let guid = "g".to_owned();
    assert_eq!(
        (&units[0].kind, units[0].grade.as_str()),
        (&UnitKind::Seat { guid }, "R")
    );
    let places: Vec<_> = units
        .iter()
        .map(|unit| unit.position.map(|at| (at.x, at.y)))
        .collect();
    assert_eq!(places, [Some((3.0, 4.0)), Some((8.0, 9.0)), None]);
}

#[test]
fn a_hall_may_be_areas_alone_but_not_nothing() {
    let mut layout = HallLayout {
        seats: SeatSource::None,
        areas: vec![area("Pit", 1)],
        accessible_rows: Vec::new(),
    };
    assert_eq!(layout.units().unwrap().len(), 1);
    layout.areas.clear();
    assert_eq!(
        refused(&layout),
        ["areas: must give the hall at least one seat or area"]
    );
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let long = "x".repeat(201);
    let rows = vec![
        row("", "A", 1, 2, "R"),
        row("Stalls", &long, 0, 2, "R"),
        row("Stalls", "A", 3, 2, "R"),
        row("Stalls", "B", 1, 5, "R"),
        row("Stalls", "B", 4, 9, "R"),
    ];
    let areas = vec![area("Pit", 0), area("Pit", 1_000_001), area("", 5)];
    let accessible = vec![
        row_ref("Stalls", "B"),
        row_ref("Stalls", "Z"),
        row_ref("Stalls", "B"),
    ];
    let expected = [
        "accessible_rows[2]: is named twice",
        "row_layout.rows[0].zone: must not be empty",
        "row_layout.rows[1].row: must have at most 200 characters",
        "row_layout.rows[1].from: must be at least 1",
        "row_layout.rows[2].to: must not be below from",
        "row_layout.rows[4]: seat 4 of this row is there already",
        "accessible_rows[1]: names a row that has no seats in this hall",
        "areas[0].capacity: must be 1..1000000",
        "areas[1].name: is the name of another area",
        "areas[1].capacity: must be 1..1000000",
        "areas[2].name: must not be empty",
    ];
    assert_eq!(refused(&hall(rows, areas, accessible)), expected);
}

#[test]
fn units_and_grades_are_bounded() {
    let full = hall(
        vec![row("Stalls", "A", 1, 99_999, "R")],
        vec![area("Pit", 1)],
        Vec::new(),
    );
    assert_eq!(full.units().unwrap().len(), 100_000);
    let over = hall(
        vec![row("Stalls", "A", 1, 100_000, "R")],
        vec![area("Pit", 1)],
        Vec::new(),
    );
    let expected = "row_layout.rows: give the hall 100001 units; at most 100000 are allowed";
    assert_eq!(refused(&over), [expected]);
    let whole = row("Stalls", "A", 0, u32::MAX, "R");
    assert!(
        refused(&hall(vec![whole; 3], Vec::new(), Vec::new()))[0]
            .contains("give the hall 12884901888 units")
    );

    let graded = |count: u32| {
        let rows =
            (1..=count).map(|grade| row("Stalls", &grade.to_string(), 1, 1, &grade.to_string()));
        hall(rows.collect(), Vec::new(), Vec::new())
    };
    assert_eq!(graded(100).units().unwrap().len(), 100);
    assert_eq!(
        refused(&graded(101)),
        ["$: has 101 grades; at most 100 are allowed"]
    );
}

#[test]
fn no_two_seats_of_the_short_form_share_an_identity() {
    let rows = vec![
        row("A", "1 / 1", 1, 2, "R"),
        row("A / 1", "1", 1, 2, "R"),
        row("A /", "/ 1 / 1", 1, 2, "R"),
        row("A", "1", 1, 2, "R"),
        row("A", "11", 1, 2, "R"),
    ];
    let units = hall(rows, Vec::new(), Vec::new()).units().unwrap();
    let guids: HashSet<_> = units
        .iter()
        .filter_map(|unit| match &unit.kind {
            UnitKind::Seat { guid } => Some(guid.as_str()),
            UnitKind::Area { .. } => None,
        })
        .collect();
    assert_eq!(guids.len(), 10);
    assert!(guids.contains("A / 1 / 2"));
}
