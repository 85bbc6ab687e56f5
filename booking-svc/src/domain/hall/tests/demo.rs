//! The two houses that the demo sells.

use super::*;

const SMALL: &[u8] = include_bytes!("../../../../../dev/catalogue/plan-300.json");
const LARGE: &[u8] = include_bytes!("../../../../../dev/catalogue/plan-3000.json");

fn units(file: &[u8], areas: Vec<AreaSpec>, accessible: RowRef) -> Vec<Unit> {
    let plan::Import { plan, warnings } = plan::import(file).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let layout = HallLayout {
        seats: SeatSource::Plan(plan),
        areas,
        accessible_rows: vec![accessible],
    };
    layout.units().unwrap()
}

fn counts(units: &[Unit]) -> Vec<(String, String, u64, u64)> {
    let counts = GradeCounts::of(units).into_list().into_iter();
    let cells = |count: GradeCount| (count.zone, count.grade, count.seats, count.places);
    counts.map(cells).collect()
}

fn count(zone: &str, grade: &str, seats: u64, places: u64) -> (String, String, u64, u64) {
    (zone.to_owned(), grade.to_owned(), seats, places)
}

#[test]
fn the_small_house_has_300_seats() {
    let units = units(SMALL, Vec::new(), row_ref("Stalls", "W"));
    let expected = [
        count("Stalls", "VIP", 54, 0),
        count("Stalls", "R", 90, 0),
        count("Stalls", "S", 76, 0),
        count("Balcony", "A", 80, 0),
    ];
    assert_eq!(counts(&units), expected);
    assert_eq!(units.len(), 300);
    assert_eq!(units.iter().filter(|unit| unit.accessible).count(), 4);
    let guid = "stalls-A-1".to_owned();
    assert_eq!(units[0].kind, UnitKind::Seat { guid });
}

#[test]
fn the_large_house_has_3000_seats_and_two_standing_areas_that_are_drawn() {
    let standing = vec![area("Standing Left", 400), area("Standing Right", 400)];
    let units = units(LARGE, standing, row_ref("Floor", "WC"));
    let expected = [
        count("Floor", "VIP", 400, 0),
        count("Floor", "R", 700, 0),
        count("Floor", "S", 920, 0),
        count("Tier", "S", 350, 0),
        count("Tier", "A", 630, 0),
        count("Floor", "Standing", 0, 800),
    ];
    assert_eq!(counts(&units), expected);
    assert_eq!(units.len(), 3_002);
    assert_eq!(units.iter().filter(|unit| unit.accessible).count(), 20);
    assert!(units.iter().all(|unit| unit.position.is_some()));
}
