//! Shows.

use chrono::TimeDelta;
use mesh::clock;
use mesh::page::{List, PageRequest, SIZE_MAX};
use proto::usher::booking::v1 as pb;
use uuid::Uuid;

use super::Fields;
use crate::domain::finding::Findings;
use crate::domain::show::{HOLD_TTL_DEFAULT, Show, ShowFilter, ShowSpec, ShowState, Viewer};

pub(in crate::grpc) fn create_show(
    request: &pb::CreateShowRequest,
) -> Result<(Uuid, ShowSpec), Findings> {
    let mut fields = Fields::default();
    let request_id = fields.id("request_id", &request.request_id);
    let currency = fields.currency("currency", &request.currency);
    let open = fields.time("sale_open_time", request.sale_open_time.as_ref());
    let close = fields.time("sale_close_time", request.sale_close_time.as_ref());
    let hold_ttl = fields.duration("hold_ttl", request.hold_ttl.as_ref(), HOLD_TTL_DEFAULT);
    // What could not be read was noted; a stand-in that breaks no rule lets the other rules be checked too.
    let stand_in = chrono::DateTime::UNIX_EPOCH;
    let sale_open_time = open.unwrap_or(close.map_or(stand_in, |close| close - TimeDelta::days(1)));
    let spec = currency
        .or_else(|| "EUR".parse().ok())
        .map(|currency| ShowSpec {
            title: request.title.clone(),
            cast_names: request.cast_names.clone(),
            category: request.category.clone(),
            age_rating: request.age_rating.clone(),
            description: request.description.clone(),
            currency,
            sale_open_time,
            sale_close_time: close.unwrap_or(sale_open_time + TimeDelta::days(1)),
            units_per_buyer_max: request.units_per_buyer_max,
            hold_ttl: hold_ttl.unwrap_or(HOLD_TTL_DEFAULT),
            queue_required: request.queue_required,
            browse_gated: request.browse_gated,
        });
    if let Some(spec) = &spec {
        spec.check(&mut fields.violations);
    }
    fields.finish(request_id.zip(spec))
}

pub(in crate::grpc) fn list_shows(
    request: &pb::ListShowsRequest,
    viewer: &Viewer,
) -> Result<(List, ShowFilter, PageRequest<Uuid>), Findings> {
    let mut fields = Fields::default();
    let list = List::new(
        "ListShows",
        &pb::ListShowsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    );
    let filter = ShowFilter {
        category: fields.label("category", &request.category),
        venue_id: fields.optional_id("venue_id", &request.venue_id),
        seller_id: fields.optional_id("seller_id", &request.seller_id),
        state: match request.state() {
            pb::ShowState::Unspecified => None,
            pb::ShowState::Draft => Some(ShowState::Draft),
            pb::ShowState::Published => Some(ShowState::Published),
        },
        viewer_id: viewer.account_id,
    };
    if pb::ShowState::try_from(request.state).is_err() {
        fields.violations.add("state", "is not a state of a show");
    }
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    fields.finish(Some((list, filter, page)))
}

impl From<Show> for pb::Show {
    fn from(show: Show) -> Self {
        let state = match show.state {
            ShowState::Draft => pb::ShowState::Draft,
            ShowState::Published => pb::ShowState::Published,
        };
        Self {
            show_id: show.show_id.to_string(),
            seller_id: show.seller_id.to_string(),
            title: show.spec.title,
            cast_names: show.spec.cast_names,
            category: show.spec.category,
            age_rating: show.spec.age_rating,
            description: show.spec.description,
            currency: show.spec.currency.code().to_owned(),
            sale_open_time: Some(clock::to_timestamp(show.spec.sale_open_time)),
            sale_close_time: Some(clock::to_timestamp(show.spec.sale_close_time)),
            units_per_buyer_max: show.spec.units_per_buyer_max,
            hold_ttl: Some(prost_types::Duration {
                seconds: show.spec.hold_ttl.num_seconds(),
                nanos: 0,
            }),
            state: state.into(),
            create_time: Some(clock::to_timestamp(show.create_time)),
            queue_required: show.spec.queue_required,
            browse_gated: show.spec.browse_gated,
        }
    }
}
