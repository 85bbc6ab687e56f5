//! Performances.

use chrono::{DateTime, Utc};
use mesh::clock;
use mesh::page::{List, PageRequest, SIZE_MAX};
use proto::usher::booking::v1 as pb;
use uuid::Uuid;

use super::{Fields, narrow};
use crate::app::catalogue::Start;
use crate::domain::finding::Findings;
use crate::domain::performance::{GradeAvailability, GradePrice, Performance, PerformanceSpec};

pub(in crate::grpc) fn create_performance(
    request: &pb::CreatePerformanceRequest,
) -> Result<(Uuid, PerformanceSpec), Findings> {
    let mut fields = Fields::default();
    let request_id = fields.id("request_id", &request.request_id);
    let ids = (
        fields.id("show_id", &request.show_id),
        fields.id("hall_id", &request.hall_id),
    );
    let times = (
        fields.time("start_time", request.start_time.as_ref()),
        fields.time("end_time", request.end_time.as_ref()),
    );
    let mut prices = Vec::new();
    for (index, price) in request.prices.iter().enumerate() {
        let money = fields.money(&format!("prices[{index}].price"), price.price.as_ref());
        prices.extend(money.map(|money| GradePrice {
            grade: price.grade.clone(),
            price: money,
        }));
    }
    let complete = prices.len() == request.prices.len();
    let spec = ids.0.zip(ids.1).zip(times.0.zip(times.1));
    let spec = spec.map(
        |((show_id, hall_id), (start_time, end_time))| PerformanceSpec {
            show_id,
            hall_id,
            start_time,
            end_time,
            prices,
        },
    );
    if let Some(spec) = spec.as_ref().filter(|_| complete) {
        spec.check(&mut fields.violations);
    }
    fields.finish(request_id.zip(spec))
}

/// What ListPerformances asks for.
pub(in crate::grpc) struct ListPerformances {
    pub(in crate::grpc) list: List,
    pub(in crate::grpc) show_id: Uuid,
    pub(in crate::grpc) start_time_after: Option<DateTime<Utc>>,
    pub(in crate::grpc) page: PageRequest<Start>,
}

pub(in crate::grpc) fn list_performances(
    request: &pb::ListPerformancesRequest,
) -> Result<ListPerformances, Findings> {
    let mut fields = Fields::default();
    let list = List::new(
        "ListPerformances",
        &pb::ListPerformancesRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    );
    let show_id = fields.id("show_id", &request.show_id);
    let after = request.start_time_after.as_ref();
    let start_time_after = after.and_then(|time| fields.time("start_time_after", Some(time)));
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    fields.finish(show_id.map(|show_id| ListPerformances {
        list,
        show_id,
        start_time_after,
        page,
    }))
}

pub(in crate::grpc) fn performance(performance: Performance) -> pb::Performance {
    with_counts(performance, Vec::new())
}

pub(in crate::grpc) fn with_counts(
    performance: Performance,
    counts: Vec<GradeAvailability>,
) -> pb::Performance {
    let price = |price: GradePrice| pb::GradePrice {
        grade: price.grade,
        price: Some(price.price.into()),
    };
    let count = |count: GradeAvailability| pb::GradeAvailability {
        grade: count.grade,
        total: narrow(count.total),
        available: narrow(count.available),
        held: narrow(count.held),
        sold: narrow(count.sold),
    };
    pb::Performance {
        performance_id: performance.performance_id.to_string(),
        show_id: performance.spec.show_id.to_string(),
        hall_id: performance.spec.hall_id.to_string(),
        layout_rev: performance.layout_rev,
        pool_id: performance.pool_id.to_string(),
        start_time: Some(clock::to_timestamp(performance.spec.start_time)),
        end_time: Some(clock::to_timestamp(performance.spec.end_time)),
        state: pb::PerformanceState::Scheduled.into(),
        prices: performance.spec.prices.into_iter().map(price).collect(),
        counts: counts.into_iter().map(count).collect(),
    }
}
