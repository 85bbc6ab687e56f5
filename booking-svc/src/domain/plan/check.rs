//! Compares the places of a plan: what names what, what is there twice, what is never used.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::document::{Document, NO_CATEGORY};
use super::{Category, Plan, Row, Seat, Zone};
use crate::domain::finding::Findings;

/// Characters of a foreign text that a finding repeats: enough to find it in the file.
const QUOTE_CHARS_MAX: usize = 40;

/// Puts the index of its category into every seat, adds to the violations and returns the warnings.
pub(super) fn check(document: &mut Document) -> Findings {
    let mut warnings = Findings::new();
    resolve_categories(document, &mut warnings);
    let Document {
        plan, violations, ..
    } = document;
    refuse_repeated_guids(&plan.zones, violations);
    warn_about_labels(&plan.zones, &mut warnings);
    warn_about_emptiness(plan, &mut warnings);
    warn_about_drawings(&plan.zones, &mut warnings);
    warnings
}

/// Where a seat stands in the file.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    zone: usize,
    row: usize,
    seat: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zone, row, seat } = self;
        write!(formatter, "zones[{zone}].rows[{row}].seats[{seat}]")
    }
}

fn seats(zones: &[Zone]) -> impl Iterator<Item = (Place, &Zone, &Row, &Seat)> {
    zones.iter().enumerate().flat_map(|(z, zone)| {
        zone.rows.iter().enumerate().flat_map(move |(r, row)| {
            row.seats.iter().enumerate().map(move |(s, seat)| {
                let place = Place {
                    zone: z,
                    row: r,
                    seat: s,
                };
                (place, zone, row, seat)
            })
        })
    })
}

fn resolve_categories(document: &mut Document, warnings: &mut Findings) {
    let Document {
        plan,
        category_names,
        violations,
        ..
    } = document;
    let declared = declared_categories(&plan.categories, violations);
    let resolve = |name: &String| declared.get(name.as_str()).copied();
    let resolved: Vec<_> = category_names.iter().map(resolve).collect();
    for (place, _, _, seat) in seats(&plan.zones) {
        if resolved.get(seat.category) == Some(&None) {
            let name = quote(&category_names[seat.category]);
            violations.add(
                format!("{place}.category"),
                format!("names {name}, which is not in categories"),
            );
        }
    }
    let rows = plan.zones.iter_mut().flat_map(|zone| &mut zone.rows);
    for seat in rows.flat_map(|row| &mut row.seats) {
        let index = resolved.get(seat.category).copied().flatten();
        seat.category = index.unwrap_or(NO_CATEGORY);
    }
    let used: HashSet<_> = resolved.into_iter().flatten().collect();
    for (index, category) in plan.categories.iter().enumerate() {
        if !used.contains(&index) {
            let name = quote(&category.name);
            warnings.add(
                format!("categories[{index}]"),
                format!("{name} has no seats"),
            );
        }
    }
}

fn declared_categories<'a>(
    categories: &'a [Category],
    violations: &mut Findings,
) -> HashMap<&'a str, usize> {
    let mut declared = HashMap::new();
    for (index, category) in categories.iter().enumerate() {
        let first = *declared.entry(category.name.as_str()).or_insert(index);
        // A name that was refused stands here as an empty one.
        if first != index && !category.name.is_empty() {
            violations.add(
                format!("categories[{index}].name"),
                format!("repeats categories[{first}].name"),
            );
        }
    }
    declared
}

fn refuse_repeated_guids(zones: &[Zone], violations: &mut Findings) {
    let mut first_place = HashMap::new();
    for (place, _, _, seat) in seats(zones).filter(|(_, _, _, seat)| !seat.guid.is_empty()) {
        let first = *first_place.entry(seat.guid.as_str()).or_insert(place);
        if first != place {
            violations.add(
                format!("{place}.seat_guid"),
                format!("{} is already {first}", quote(&seat.guid)),
            );
        }
    }
}

/// Two seats that read the same on a ticket: allowed by the format, and a quarrel at the door.
fn warn_about_labels(zones: &[Zone], warnings: &mut Findings) {
    let mut first_place = HashMap::new();
    for (place, zone, row, seat) in seats(zones) {
        let label = (&zone.name, &row.name, &seat.number);
        let first = *first_place.entry(label).or_insert(place);
        if first != place {
            warnings.add(
                place.to_string(),
                format!("has zone, row and number of {first}"),
            );
        }
    }
}

fn warn_about_emptiness(plan: &Plan, warnings: &mut Findings) {
    if plan.seat_count() == 0 {
        warnings.add("zones", "there is no seat in the whole plan");
        return;
    }
    for (z, zone) in plan.zones.iter().enumerate() {
        if zone.rows.is_empty() && zone.areas.is_empty() {
            warnings.add(format!("zones[{z}]"), "has neither rows nor areas");
        }
        for (r, row) in zone.rows.iter().enumerate() {
            if row.seats.is_empty() {
                warnings.add(format!("zones[{z}].rows[{r}]"), "has no seats");
            }
        }
    }
}

/// A hall takes the geometry of an area by its text, so two areas of one text hide one another.
fn warn_about_drawings(zones: &[Zone], warnings: &mut Findings) {
    let mut first_place = HashMap::new();
    for (z, zone) in zones.iter().enumerate() {
        for (a, area) in zone.areas.iter().enumerate() {
            let first = *first_place.entry(area.text.as_str()).or_insert((z, a));
            if first != (z, a) && !area.text.is_empty() {
                warnings.add(
                    format!("zones[{z}].areas[{a}].text"),
                    format!(
                        "{} is also on zones[{}].areas[{}], which is the one a hall finds",
                        quote(&area.text),
                        first.0,
                        first.1
                    ),
                );
            }
        }
    }
}

fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{short}\"")
}
