use tonic_types::StatusExt;

use super::*;

#[test]
fn a_fault_between_services_is_not_told_as_something_to_repeat() {
    let told = |refusal: BookingRefusal| not_booked(refusal.into());
    let fault = told(BookingRefusal::CouponsFault("a coupon takes 7".to_owned()));
    let details = fault.get_error_details();
    assert_eq!(
        (fault.code(), fault.message()),
        (Code::Internal, "internal error")
    );
    assert!(details.retry_info().is_none());
    let away = told(BookingRefusal::CouponsAway);
    assert_eq!(away.code(), Code::Unavailable);
    assert!(away.get_error_details().retry_info().is_some());
}

#[test]
fn who_was_not_let_in_is_told_where_to_join() {
    let shows = [Uuid::from_u128(2), Uuid::from_u128(1)];
    let required = || Rejection::QueuePassRequired(shows.into_iter().collect());
    let used = Rejection::QueuePassUsed(shows.into_iter().collect());
    for (rejection, wrong, reason) in [
        (required(), None, "QUEUE_PASS_REQUIRED"),
        (
            required(),
            Some(PassError::NotValid),
            "QUEUE_PASS_NOT_VALID",
        ),
        (required(), Some(PassError::Ended), "QUEUE_PASS_NOT_VALID"),
        (used.clone(), None, "QUEUE_PASS_USED"),
        (used, Some(PassError::NotValid), "QUEUE_PASS_USED"),
    ] {
        let status = not_let_in(Failure::Rejected(rejection), wrong);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        let told = (status.code(), info.reason.as_str());
        assert_eq!(told, (Code::FailedPrecondition, reason));
        let join = |show| format!("/v1/shows/{show}/queue:join");
        assert_eq!(info.metadata["join"], join(Uuid::from_u128(1)));
        let rooms = &details.precondition_failure().unwrap().violations;
        let rooms: Vec<_> = rooms.iter().map(|room| &room.description).collect();
        assert_eq!(
            rooms,
            [&join(Uuid::from_u128(1)), &join(Uuid::from_u128(2))]
        );
    }
}
