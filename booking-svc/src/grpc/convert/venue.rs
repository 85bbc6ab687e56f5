//! Venues.

use mesh::clock;
use mesh::page::{List, PageRequest, SIZE_MAX};
use proto::usher::booking::v1 as pb;
use uuid::Uuid;

use super::Fields;
use crate::domain::finding::Findings;
use crate::domain::venue::{Venue, VenueFilter, VenueSpec};

pub(in crate::grpc) fn create_venue(
    request: &pb::CreateVenueRequest,
) -> Result<(Uuid, VenueSpec), Findings> {
    let mut fields = Fields::default();
    let request_id = fields.id("request_id", &request.request_id);
    let spec = VenueSpec {
        name: request.name.clone(),
        address: request.address.clone(),
        city: request.city.clone(),
        country_code: request.country_code.clone(),
        time_zone: request.time_zone.clone(),
    };
    spec.check(&mut fields.violations);
    fields.finish(request_id.map(|request_id| (request_id, spec)))
}

pub(in crate::grpc) fn list_venues(
    request: &pb::ListVenuesRequest,
) -> Result<(List, VenueFilter, PageRequest<Uuid>), Findings> {
    let mut fields = Fields::default();
    let list = List::new(
        "ListVenues",
        &pb::ListVenuesRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    );
    let filter = VenueFilter {
        city: fields.label("city", &request.city),
        seller_id: fields.optional_id("seller_id", &request.seller_id),
    };
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    fields.finish(Some((list, filter, page)))
}

impl From<Venue> for pb::Venue {
    fn from(venue: Venue) -> Self {
        Self {
            venue_id: venue.venue_id.to_string(),
            seller_id: venue.seller_id.to_string(),
            name: venue.spec.name,
            address: venue.spec.address,
            city: venue.spec.city,
            country_code: venue.spec.country_code,
            time_zone: venue.spec.time_zone,
            create_time: Some(clock::to_timestamp(venue.create_time)),
        }
    }
}
