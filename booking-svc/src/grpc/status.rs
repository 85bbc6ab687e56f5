//! The one map from this service's errors to statuses.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh::identity::PassError;
use mesh::status::{
    DEPENDENCY_DOWN, INVALID_REQUEST, REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, Reason, Violations,
    internal,
};
use tonic::{Code, Status};

use crate::app::catalogue::{Error, Rejection};
use crate::domain::finding::Findings;

pub(super) mod sale;

/// A first call ends within its deadline; most end much sooner.
const IN_PROGRESS_RETRY: Duration = Duration::from_millis(500);
/// A full pool empties within milliseconds, unless everybody comes back at once.
const BUSY_RETRY: Duration = Duration::from_secs(1);
/// A failover takes seconds.
const DOWN_RETRY: Duration = Duration::from_secs(2);

const fn not_found(name: &'static str, meaning: &'static str) -> Reason {
    Reason::new(name, Code::NotFound, meaning)
}

const VENUE_NOT_FOUND: Reason = not_found("VENUE_NOT_FOUND", "there is no such venue");
const PLAN_NOT_FOUND: Reason = not_found(
    "PLAN_NOT_FOUND",
    "there is no such seating plan of this seller; import it first",
);
const HALL_NOT_FOUND: Reason = not_found("HALL_NOT_FOUND", "there is no such hall");
const SHOW_NOT_FOUND: Reason = not_found(
    "SHOW_NOT_FOUND",
    "there is no such show, or the caller may not see it yet",
);
const PERFORMANCE_NOT_FOUND: Reason = not_found(
    "PERFORMANCE_NOT_FOUND",
    "there is no such performance, or the caller may not see its show yet",
);
const POOL_NOT_FOUND: Reason = not_found(
    "POOL_NOT_FOUND",
    "there is no such pool, or the caller may not see its show yet",
);
const NOT_YOUR_RESOURCE: Reason = Reason::new(
    "NOT_YOUR_RESOURCE",
    Code::PermissionDenied,
    "venue, hall or show belong to another seller",
);
const HALL_NAME_TAKEN: Reason = Reason::new(
    "HALL_NAME_TAKEN",
    Code::AlreadyExists,
    "the venue has a hall of this name; choose another",
);
const SHOW_NOT_DRAFT: Reason = Reason::new(
    "SHOW_NOT_DRAFT",
    Code::FailedPrecondition,
    "the show was published before; nothing is left to do",
);
const SHOW_HAS_NO_PERFORMANCE: Reason = Reason::new(
    "SHOW_HAS_NO_PERFORMANCE",
    Code::FailedPrecondition,
    "create a performance, then publish",
);
const CURRENCY_MISMATCH: Reason = Reason::new(
    "CURRENCY_MISMATCH",
    Code::InvalidArgument,
    "every amount has to be in the currency that ErrorInfo names",
);
const SEATING_PLAN_INVALID: Reason = Reason::new(
    "SEATING_PLAN_INVALID",
    Code::InvalidArgument,
    "BadRequest lists what is wrong with the file; mend it and import again",
);

/// The reasons of the catalogue.
const CATALOGUE: &[&Reason] = &[
    &VENUE_NOT_FOUND,
    &PLAN_NOT_FOUND,
    &HALL_NOT_FOUND,
    &SHOW_NOT_FOUND,
    &PERFORMANCE_NOT_FOUND,
    &POOL_NOT_FOUND,
    &NOT_YOUR_RESOURCE,
    &HALL_NAME_TAKEN,
    &SHOW_NOT_DRAFT,
    &SHOW_HAS_NO_PERFORMANCE,
    &CURRENCY_MISMATCH,
    &SEATING_PLAN_INVALID,
];

/// The reasons of this service, beside those of mesh.
pub const REASONS: &[&[&Reason]] = &[CATALOGUE, sale::REASONS];

/// A request that is wrong in itself.
pub(super) fn invalid(findings: Findings) -> Status {
    refuse(&INVALID_REQUEST, findings)
}

fn refuse(reason: &'static Reason, findings: Findings) -> Status {
    let (list, more) = findings.into_parts();
    let mut violations = Violations::new();
    for found in list {
        violations.add(found.field, found.problem);
    }
    violations.add_unlisted(more);
    violations.refuse(reason)
}

/// What became of a use case of the catalogue.
pub(super) fn of(error: Error) -> Status {
    not_shown(error, None)
}

/// The same for what may be shown only to those whom a waiting room let in. `wrong`: what is wrong with a pass of the caller.
pub(super) fn not_shown(error: Error, wrong: Option<PassError>) -> Status {
    error.into_status(|rejection| rejected(rejection, wrong))
}

pub(super) fn down(text: &str) -> Status {
    DEPENDENCY_DOWN.refuse(text).retry_after(DOWN_RETRY).into()
}

fn rejected(rejection: Rejection, wrong: Option<PassError>) -> Status {
    let text = rejection.to_string();
    let reason = match rejection {
        Rejection::VenueNotFound => &VENUE_NOT_FOUND,
        Rejection::PlanNotFound => &PLAN_NOT_FOUND,
        Rejection::HallNotFound => &HALL_NOT_FOUND,
        Rejection::ShowNotFound => &SHOW_NOT_FOUND,
        Rejection::PerformanceNotFound => &PERFORMANCE_NOT_FOUND,
        Rejection::PoolNotFound => &POOL_NOT_FOUND,
        Rejection::QueuePassRequired(show_id) => {
            return sale::no_pass(text, &BTreeSet::from([show_id]), wrong);
        }
        Rejection::NotYours => &NOT_YOUR_RESOURCE,
        Rejection::HallNameTaken => &HALL_NAME_TAKEN,
        Rejection::ShowNotDraft => &SHOW_NOT_DRAFT,
        Rejection::ShowHasNoPerformance => &SHOW_HAS_NO_PERFORMANCE,
        Rejection::RequestIdReused => &REQUEST_ID_REUSED,
        Rejection::CurrencyMismatch { expected, .. } => {
            return CURRENCY_MISMATCH
                .refuse(text)
                .with("expected", expected)
                .into();
        }
        Rejection::Invalid(findings) => return invalid(findings),
        Rejection::PlanInvalid(findings) => return refuse(&SEATING_PLAN_INVALID, findings),
        Rejection::RequestInProgress => {
            return REQUEST_IN_PROGRESS
                .refuse(text)
                .retry_after(IN_PROGRESS_RETRY)
                .into();
        }
        Rejection::Interrupted => return internal(&rejection),
    };
    reason.refuse(text).into()
}

#[cfg(test)]
mod tests {
    use mesh::status::VIOLATIONS_MAX;
    use tonic_types::StatusExt;

    use super::*;
    use crate::domain::finding::REPORTED_MAX;

    #[test]
    fn every_finding_is_listed_or_counted() {
        let mut findings = Findings::new();
        for index in 0..REPORTED_MAX + 5 {
            findings.add(format!("rows[{index}]"), "is wrong");
        }
        let status = invalid(findings);
        assert_eq!(
            status
                .get_details_bad_request()
                .unwrap()
                .field_violations
                .len(),
            VIOLATIONS_MAX
        );
        assert!(
            status
                .message()
                .ends_with(&format!("(and {} more)", REPORTED_MAX + 4)),
            "{status}"
        );
    }
}
