//! Units on sale.

use mesh::page::{List, PageRequest};
use proto::usher::booking::v1 as pb;

use super::Fields;
use crate::domain::finding::Findings;
use crate::domain::hall::UnitKind;
use crate::domain::unit::{Availability, UnitFilter, UnitOnSale};

/// Most units of a page: they are small, and a seat map wants all of them.
const UNITS_MAX: usize = 1_000;

pub(in crate::grpc) fn list_units(
    request: &pb::ListUnitsRequest,
) -> Result<(List, UnitFilter, PageRequest<u32>), Findings> {
    let mut fields = Fields::default();
    let list = List::new(
        "ListUnits",
        &pb::ListUnitsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    );
    let pool_id = fields.id("pool_id", &request.pool_id);
    let availability = match request.state() {
        pb::UnitState::Unspecified => None,
        pb::UnitState::Available => Some(Availability::Available),
        pb::UnitState::HeldOut => Some(Availability::HeldOut),
        pb::UnitState::SoldOut => Some(Availability::SoldOut),
    };
    if pb::UnitState::try_from(request.state).is_err() {
        fields.violations.add("state", "is not a state of a unit");
    }
    let page = fields.page(list, UNITS_MAX, request.page_size, &request.page_token);
    let zone = fields.label("zone", &request.zone);
    let grade = fields.label("grade", &request.grade);
    let filter = pool_id.map(|pool_id| UnitFilter {
        pool_id,
        zone,
        grade,
        availability,
    });
    fields.finish(filter.map(|filter| (list, filter, page)))
}

impl From<UnitOnSale> for pb::Unit {
    fn from(found: UnitOnSale) -> Self {
        let (kind, seat_guid) = match found.unit.kind {
            UnitKind::Seat { guid } => (pb::UnitKind::Seat, guid),
            UnitKind::Area { .. } => (pb::UnitKind::Area, String::new()),
        };
        let state = match found.counters.availability() {
            Availability::Available => pb::UnitState::Available,
            Availability::HeldOut => pb::UnitState::HeldOut,
            Availability::SoldOut => pb::UnitState::SoldOut,
        };
        Self {
            ord: found.unit.ord,
            kind: kind.into(),
            seat_guid,
            zone: found.unit.zone,
            row: found.unit.row,
            number: found.unit.number,
            grade: found.unit.grade,
            accessible: found.unit.accessible,
            price: Some(found.price.into()),
            state: state.into(),
            available: found.counters.available(),
        }
    }
}
