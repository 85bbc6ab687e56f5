//! Halls and plans.

use mesh::clock;
use mesh::page::{List, PageRequest, SIZE_MAX};
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::create_hall_request::Layout;
use uuid::Uuid;

use super::{Fields, narrow};
use crate::app::catalogue::{CreateHall, ImportedPlan, SeatsFrom};
use crate::domain::finding::Findings;
use crate::domain::hall::{AreaSpec, GradeCount, Hall, RowRange, RowRef};
use crate::domain::text::check_name;

pub(in crate::grpc) fn create_hall(
    request: &pb::CreateHallRequest,
) -> Result<(Uuid, CreateHall), Findings> {
    let mut fields = Fields::default();
    let request_id = fields.id("request_id", &request.request_id);
    let venue_id = fields.id("venue_id", &request.venue_id);
    fields
        .violations
        .add_refused("name", check_name(&request.name));
    let seats = match &request.layout {
        None => Some(SeatsFrom::Nowhere),
        Some(Layout::PlanId(plan_id)) => fields.id("plan_id", plan_id).map(SeatsFrom::Plan),
        Some(Layout::RowLayout(layout)) => {
            Some(SeatsFrom::Rows(layout.rows.iter().map(row).collect()))
        }
    };
    let command = venue_id.zip(seats).map(|(venue_id, seats)| CreateHall {
        venue_id,
        name: request.name.clone(),
        seats,
        areas: request.areas.iter().map(area).collect(),
        accessible_rows: request.accessible_rows.iter().map(row_ref).collect(),
    });
    fields.finish(request_id.zip(command))
}

pub(in crate::grpc) fn list_halls(
    request: &pb::ListHallsRequest,
) -> Result<(List, Uuid, PageRequest<Uuid>), Findings> {
    let mut fields = Fields::default();
    let list = List::new(
        "ListHalls",
        &pb::ListHallsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    );
    let venue_id = fields.id("venue_id", &request.venue_id);
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    fields.finish(venue_id.map(|venue_id| (list, venue_id, page)))
}

pub(in crate::grpc) fn imported_plan(imported: &ImportedPlan) -> pb::ImportSeatingPlanResponse {
    let plan = &imported.import.plan;
    let warnings = &imported.import.warnings;
    let mut texts: Vec<_> = warnings.list().iter().map(ToString::to_string).collect();
    if warnings.more() > 0 {
        texts.push(format!("and {} more", warnings.more()));
    }
    pb::ImportSeatingPlanResponse {
        plan_id: imported.plan_id.to_string(),
        name: plan.name.clone(),
        seat_count: narrow(plan.seat_count()),
        counts: grade_counts(plan.counts().into_list()),
        warnings: texts,
    }
}

fn row(row: &pb::RowRange) -> RowRange {
    RowRange {
        zone: row.zone.clone(),
        row: row.row.clone(),
        from: row.from,
        to: row.to,
        grade: row.grade.clone(),
    }
}

fn area(area: &pb::AreaSpec) -> AreaSpec {
    AreaSpec {
        name: area.name.clone(),
        zone: area.zone.clone(),
        grade: area.grade.clone(),
        capacity: area.capacity,
    }
}

fn row_ref(row: &pb::RowRef) -> RowRef {
    RowRef {
        zone: row.zone.clone(),
        row: row.row.clone(),
    }
}

fn grade_counts(counts: Vec<GradeCount>) -> Vec<pb::GradeCount> {
    let count = |count: GradeCount| pb::GradeCount {
        zone: count.zone,
        grade: count.grade,
        seats: narrow(count.seats),
        places: narrow(count.places),
    };
    counts.into_iter().map(count).collect()
}

impl From<Hall> for pb::Hall {
    fn from(hall: Hall) -> Self {
        Self {
            hall_id: hall.hall_id.to_string(),
            venue_id: hall.venue_id.to_string(),
            name: hall.name,
            layout_rev: hall.layout_rev,
            unit_count: hall.unit_count,
            counts: grade_counts(hall.counts),
            create_time: Some(clock::to_timestamp(hall.create_time)),
        }
    }
}
