//! Sagas, for operators.

use mesh::page::{List, PageRequest, SIZE_MAX};
use mesh::status::internal;
use proto::usher::booking::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use super::{Fields, narrow, timestamp};
use crate::app::saga_admin::{Event, Filter, Record};
use crate::domain::finding::Findings;
use crate::domain::saga::{Direction, State};

/// Longest reason in the audit log, in characters.
const REASON_MAX: usize = 200;

/// A list of sagas.
pub(in crate::grpc) fn list_sagas(
    request: &pb::ListSagasRequest,
) -> Result<(List, Filter, PageRequest<Uuid>), Findings> {
    let mut fields = Fields::default();
    let asked = pb::ListSagasRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let booking_id = fields.optional_id("booking_id", &request.booking_id);
    let min_age = fields.duration(
        "min_age",
        request.min_age.as_ref(),
        chrono::TimeDelta::zero(),
    );
    let min_age_seconds = min_age.map_or(0, |age| age.num_seconds());
    if min_age_seconds < 0 {
        fields.violations.add("min_age", "must not be negative");
    }
    let state = match pb::SagaState::try_from(request.state) {
        Ok(pb::SagaState::Unspecified) => None,
        Ok(pb::SagaState::Running) => Some(State::Running),
        Ok(pb::SagaState::Waiting) => Some(State::Waiting),
        Ok(pb::SagaState::Compensating) => Some(State::Compensating),
        Ok(pb::SagaState::Done) => Some(State::Done),
        Ok(pb::SagaState::Compensated) => Some(State::Compensated),
        Ok(pb::SagaState::Parked) => Some(State::Parked),
        Err(_) => {
            fields.violations.add("state", "must be a state of sagas");
            None
        }
    };
    let list = List::new("ListSagas", &asked);
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    let filter = Filter {
        kind: fields.label("kind", &request.kind),
        state,
        booking_id,
        min_age_seconds,
    };
    fields.finish(Some((list, filter, page)))
}

/// An order of an operator: request_id, saga_id and reason.
pub(in crate::grpc) fn saga_order(
    request_id: &str,
    saga_id: &str,
    reason: &str,
) -> Result<(Uuid, Uuid, String), Findings> {
    let mut fields = Fields::default();
    let ids = (
        fields.id("request_id", request_id),
        fields.id("saga_id", saga_id),
    );
    if !(1..=REASON_MAX).contains(&reason.chars().count()) {
        let problem =
            format!("must have 1 to {REASON_MAX} characters: it is written to the audit log");
        fields.violations.add("reason", problem);
    }
    let order = ids.0.zip(ids.1);
    fields.finish(order.map(|(request_id, saga_id)| (request_id, saga_id, reason.to_owned())))
}

/// A saga as answered.
pub(in crate::grpc) fn saga(saga: &Record) -> Result<pb::Saga, Status> {
    let state = match saga.state().map_err(|error| internal(&error))? {
        State::Running => pb::SagaState::Running,
        State::Waiting => pb::SagaState::Waiting,
        State::Compensating => pb::SagaState::Compensating,
        State::Done => pb::SagaState::Done,
        State::Compensated => pb::SagaState::Compensated,
        State::Parked => pb::SagaState::Parked,
    };
    let direction = match saga.direction().map_err(|error| internal(&error))? {
        Direction::Forward => pb::SagaDirection::Forward,
        Direction::Back => pb::SagaDirection::Back,
    };
    Ok(pb::Saga {
        saga_id: saga.saga_id.to_string(),
        kind: saga.kind.clone(),
        definition_version: narrow(saga.def_version),
        booking_id: saga.subject_id.to_string(),
        state: state.into(),
        direction: direction.into(),
        step: saga.step.clone(),
        attempts: narrow(saga.attempts),
        lease_owner: saga.lease_owner.clone().unwrap_or_default(),
        next_run_time: Some(timestamp(saga.next_run_time)),
        deadline_time: saga.deadline_time.map(timestamp),
        last_error: saga.last_error.clone().unwrap_or_default(),
        park_reason: saga.park_reason.clone().unwrap_or_default(),
        park_by: saga.park_by.clone().unwrap_or_default(),
        park_time: saga.park_time.map(timestamp),
        create_time: Some(timestamp(saga.create_time)),
    })
}

/// An entry of a timeline as answered.
pub(in crate::grpc) fn saga_event(event: Event) -> pb::SagaEvent {
    pb::SagaEvent {
        seq: narrow(event.seq),
        step: event.step,
        kind: event.kind,
        attempt: narrow(event.attempt),
        create_time: Some(timestamp(event.create_time)),
    }
}
