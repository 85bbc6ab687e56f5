use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod refused;

fn small() -> Value {
    json!({
        "name": "Small house",
        "size": {"width": 600, "height": 400},
        "categories": [{"name": "VIP", "color": "#f00"}, {"name": "R", "color": "#00f"}],
        "zones": [{
            "name": "Stalls",
            "position": {"x": 100, "y": 200},
            "rows": [{
                "row_number": "A",
                "position": {"x": 10, "y": 20},
                "seats": [
                    {"seat_guid": "A-1", "seat_number": "1", "category": "VIP", "position": {"x": 1.1, "y": 2.2}},
                    {"seat_guid": "A-2", "seat_number": "2", "category": "R", "position": {"x": 3, "y": 2}},
                ],
            }],
            "areas": [{"text": "Stage", "color": "#ccc", "width": 50, "height": 20, "position": {"x": 5, "y": 6}}],
        }],
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut plan = small();
    *plan.pointer_mut(pointer).unwrap() = value;
    plan
}

fn without(pointer: &str, key: &str) -> Value {
    let mut plan = small();
    let object = plan.pointer_mut(pointer).unwrap();
    object.as_object_mut().unwrap().remove(key).unwrap();
    plan
}

fn read(plan: &Value) -> Result<Import, Findings> {
    import(plan.to_string().as_bytes())
}

fn lines(findings: &Findings) -> Vec<String> {
    findings.list().iter().map(ToString::to_string).collect()
}

fn house(rows: usize, seats: usize) -> Value {
    let seat = |row: usize, seat: usize| json!({"seat_guid": format!("{row}-{seat}"), "seat_number": seat.to_string(), "category": "R", "position": {"x": seat, "y": row}});
    let row = |row: usize| {
        let seats: Vec<_> = (0..seats).map(|number| seat(row, number)).collect();
        json!({"row_number": row.to_string(), "seats": seats})
    };
    with("/zones/0/rows", (0..rows).map(row).collect())
}

#[test]
fn positions_become_absolute() {
    let Import { plan, warnings } = read(&small()).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!((plan.name.as_str(), plan.seat_count()), ("Small house", 2));
    let size = plan.size.unwrap();
    assert_eq!((size.width, size.height), (600.0, 400.0));
    let seats = &plan.zones[0].rows[0].seats;
    assert_eq!((seats[0].position.x, seats[0].position.y), (111.1, 222.2));
    assert_eq!((seats[1].position.x, seats[1].position.y), (113.0, 222.0));
    let stage = &plan.zones[0].areas[0];
    assert_eq!((stage.position.x, stage.position.y), (105.0, 206.0));
    let (width, height) = (50.0, 20.0);
    assert_eq!(stage.shape, Shape::Rectangle { width, height });
    assert_eq!(plan.drawings()["Stage"], stage);
}

#[test]
fn keys_come_in_any_order_and_unknown_ones_are_skipped() {
    let text = "\u{feff}".to_owned()
        + r#"{"zones": [{"areas": [], "rows": [{"seats": [{"position": {"y": 1, "x": 2, "z": null}, "category": "R",
           "seat_number": "1", "seat_guid": "g", "radius": 12, "uuid": {"a": [1, [2, {"b": null}]]}}],
           "row_number_position": "both", "row_number": "A", "position": {"x": 10, "y": 10}}],
           "zone_id": "z", "position": {"x": 100, "y": 100}, "name": "Stalls"}],
           "size": null, "categories": [{"color": null, "name": "R"}], "name": "Reversed", "background": 1e400}"#;
    let plan = import(text.as_bytes()).unwrap().plan;
    let seat = &plan.zones[0].rows[0].seats[0];
    assert_eq!((seat.position.x, seat.position.y), (112.0, 111.0));
    assert_eq!((plan.grade(seat), plan.size), ("R", None));
}

#[test]
fn outlines_of_newer_editors_are_read() {
    let area = |extra: Value| {
        let mut area = json!({"position": {"x": 1, "y": 1}, "rotation": 45.5, "text": {"text": "Bar", "color": "#000", "position": {"x": 0, "y": 0}}});
        area.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let plan = read(&with("/zones/0/areas", json!([area]))).unwrap().plan;
        let drawing = plan.zones[0].areas[0].clone();
        assert_eq!((drawing.text.as_str(), drawing.rotation), ("Bar", 45.5));
        drawing.shape
    };
    let (width, height) = (7.0, 8.0);
    assert_eq!(
        area(json!({"shape": "rectangle", "rectangle": {"width": 7, "height": 8}})),
        Shape::Rectangle { width, height }
    );
    let (radius_x, radius_y) = (3.0, 4.0);
    assert_eq!(
        area(json!({"shape": "ellipse", "ellipse": {"radius": {"x": 3, "y": 4}}})),
        Shape::Ellipse { radius_x, radius_y }
    );
    let circle = area(json!({"shape": "circle", "circle": {"radius": 3}}));
    let radius_y = 3.0;
    assert_eq!(circle, Shape::Ellipse { radius_x, radius_y });
    let points = json!([{"x": 0, "y": 0}, {"x": 9, "y": 0}, {"x": 0, "y": 9}]);
    let polygon = area(json!({"shape": "polygon", "polygon": {"points": points}}));
    assert!(matches!(polygon, Shape::Polygon(points) if points.len() == 3));
    assert_eq!(area(json!({"shape": "text"})), Shape::Text);
}

#[test]
fn what_looks_odd_is_a_warning() {
    let mut plan = small();
    let list = |plan: &mut Value, pointer: &str, value: Value| {
        plan.pointer_mut(pointer)
            .unwrap()
            .as_array_mut()
            .unwrap()
            .push(value);
    };
    list(&mut plan, "/categories", json!({"name": "Unused"}));
    list(
        &mut plan,
        "/zones/0/rows",
        json!({"row_number": "B", "seats": []}),
    );
    list(
        &mut plan,
        "/zones",
        json!({"name": "Attic", "position": {"x": 0, "y": 0}, "rows": []}),
    );
    list(
        &mut plan,
        "/zones/0/areas",
        json!({"text": "Stage", "position": {"x": 0, "y": 0}}),
    );
    let twin = json!({"seat_guid": "A-3", "seat_number": "1", "category": "R", "position": {"x": 0, "y": 0}});
    list(&mut plan, "/zones/0/rows/0/seats", twin);
    let expected = [
        "categories[2]: \"Unused\" has no seats",
        "zones[0].rows[0].seats[2]: has zone, row and number of zones[0].rows[0].seats[0]",
        "zones[0].rows[1]: has no seats",
        "zones[1]: has neither rows nor areas",
        "zones[0].areas[1].text: \"Stage\" is also on zones[0].areas[0], which is the one a hall finds",
    ];
    assert_eq!(lines(&read(&plan).unwrap().warnings), expected);
    let none = read(&with("/zones", json!([]))).unwrap().warnings;
    assert!(lines(&none).contains(&"zones: there is no seat in the whole plan".to_owned()));
}

#[test]
fn a_layout_survives_its_own_json() {
    let plan = read(&house(3, 4)).unwrap().plan;
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.contains(r#"["0-0","0",1,100.0,200.0]"#), "{text}");
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let drawing = plan.without_seats();
    assert_eq!((drawing.seat_count(), drawing.zones[0].areas.len()), (0, 1));
}

proptest! {
    /// Whatever comes in, an answer comes out; and when it is yes, every seat has a category and its own guid.
    #[test]
    fn no_damage_to_a_file_is_too_much(place in 0_usize..900, byte in any::<u8>(), cut in 0_usize..2_000) {
        let mut file = small().to_string().into_bytes();
        if let Some(target) = file.get_mut(place) {
            *target = byte;
        }
        file.truncate(cut);
        if let Ok(Import { plan, .. }) = import(&file) {
            prop_assert!(plan.seats().all(|(_, _, seat)| seat.category < plan.categories.len()));
            let guids: std::collections::HashSet<_> = plan.seats().map(|(_, _, seat)| &seat.guid).collect();
            prop_assert_eq!(guids.len(), plan.seat_count());
        }
    }
}
