//! Venues: where halls are.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::finding::Findings;
use super::text::{check_label, check_name};

/// What a seller says about a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueSpec {
    /// Name.
    pub name: String,
    /// Street address; may be empty.
    pub address: String,
    /// City.
    pub city: String,
    /// ISO 3166-1 alpha-2 code in capitals.
    pub country_code: String,
    /// IANA time zone.
    pub time_zone: String,
}

/// A place with one or more halls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Id.
    pub venue_id: Uuid,
    /// Account that owns it.
    pub seller_id: Uuid,
    /// What its owner says.
    pub spec: VenueSpec,
    /// When it was created.
    pub create_time: DateTime<Utc>,
}

/// Which venues to list.
#[derive(Clone, Debug, Default)]
pub struct VenueFilter {
    /// Only this city.
    pub city: Option<String>,
    /// Only this seller's.
    pub seller_id: Option<Uuid>,
}

impl VenueSpec {
    /// Notes every rule that is broken.
    pub fn check(&self, violations: &mut Findings) {
        violations.add_refused("name", check_name(&self.name));
        violations.add_refused("address", check_label(&self.address));
        violations.add_refused("city", check_name(&self.city));
        let capitals = self
            .country_code
            .bytes()
            .all(|byte| byte.is_ascii_uppercase());
        if self.country_code.len() != 2 || !capitals {
            violations.add("country_code", "must be two capital letters, such as KR");
        }
        if self.time_zone.parse::<chrono_tz::Tz>().is_err() {
            violations.add("time_zone", "must be an IANA time zone, such as Asia/Seoul");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_told() {
        let right = VenueSpec {
            name: "Opera".to_owned(),
            address: String::new(),
            city: "Seoul".to_owned(),
            country_code: "KR".to_owned(),
            time_zone: "Asia/Seoul".to_owned(),
        };
        let mut violations = Findings::new();
        right.check(&mut violations);
        assert!(violations.is_empty(), "{violations}");
        let wrong = VenueSpec {
            name: " ".to_owned(),
            address: "x".repeat(201),
            city: String::new(),
            country_code: "kr".to_owned(),
            time_zone: "KST+9".to_owned(),
        };
        wrong.check(&mut violations);
        let fields: Vec<_> = violations
            .list()
            .iter()
            .map(|found| found.field.as_str())
            .collect();
        assert_eq!(
            fields,
            ["name", "address", "city", "country_code", "time_zone"]
        );
    }
}
