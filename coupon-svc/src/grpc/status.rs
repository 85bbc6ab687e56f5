//! The one map from this service's errors to a status.

mod code;
mod grant;
mod revocation;

use std::time::Duration;

use mesh::status::{
    INVALID_REQUEST, OVERLOADED, REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, Reason, Violations,
    internal,
};
use tonic::{Code, Status};

pub(super) use self::code::{coding, redeeming};
pub(super) use self::grant::granting;
pub(super) use self::revocation::revoking;
use super::convert;
use crate::app::{claims, manage, quote, reservations};
use crate::domain::best::Unused;
use crate::domain::campaign::{Issue, Refused, Shut};
use crate::domain::reservation;

/// No such campaign.
pub const CAMPAIGN_NOT_FOUND: Reason = Reason::new(
    "CAMPAIGN_NOT_FOUND",
    Code::NotFound,
    "there is no such campaign, it is a draft, or it is another seller's",
);
/// It stands.
pub const CAMPAIGN_NOT_DRAFT: Reason = Reason::new(
    "CAMPAIGN_NOT_DRAFT",
    Code::FailedPrecondition,
    "people may rely on this campaign already: only a DRAFT can be changed or opened",
);
/// Too early.
pub const CLAIM_NOT_OPEN: Reason = Reason::new(
    "CLAIM_NOT_OPEN",
    Code::FailedPrecondition,
    "coupons can be claimed from open_time in the metadata on",
);
/// Too late.
pub const CLAIM_WINDOW_OVER: Reason = Reason::new(
    "CLAIM_WINDOW_OVER",
    Code::FailedPrecondition,
    "the time to claim coupons of this campaign is over",
);
/// Every coupon has its owner.
pub const COUPONS_SOLD_OUT: Reason = Reason::new(
    "COUPONS_SOLD_OUT",
    Code::FailedPrecondition,
    "every coupon of this campaign has its owner; this is final",
);
/// The account has as many as it can.
pub const ALREADY_CLAIMED: Reason = Reason::new(
    "ALREADY_CLAIMED",
    Code::AlreadyExists,
    "the account has as many coupons of this campaign as it can: coupon_ids in the metadata",
);
/// Nobody knows yet.
pub const CLAIM_UNDECIDED: Reason = Reason::new(
    "CLAIM_UNDECIDED",
    Code::Unavailable,
    "it is not known yet whether this claim got a coupon; repeat it with the same request_id after RetryInfo",
);
/// No such batch.
pub const CLAIM_BATCH_NOT_FOUND: Reason = Reason::new(
    "CLAIM_BATCH_NOT_FOUND",
    Code::NotFound,
    "there is no such batch of claims, somebody else queued it, or it was queued more than 30 days ago",
);
/// No such coupon.
pub const COUPON_NOT_FOUND: Reason = Reason::new(
    "COUPON_NOT_FOUND",
    Code::NotFound,
    "there is no such coupon, or it is somebody else's",
);

/// Not this way.
pub const ISSUED_OTHERWISE: Reason = Reason::new(
    "ISSUED_OTHERWISE",
    Code::FailedPrecondition,
    "coupons of this campaign are had in another way: issue in the metadata is CLAIM, CODE or GRANT",
);
/// Whatever the cause.
pub const CODE_NOT_VALID: Reason = Reason::new(
    "CODE_NOT_VALID",
    Code::FailedPrecondition,
    "the code is unknown, revoked, used up, not in its time, or nothing is left: which of them is not told",
);
/// No such batch.
pub const CODE_BATCH_NOT_FOUND: Reason = Reason::new(
    "CODE_BATCH_NOT_FOUND",
    Code::NotFound,
    "there is no such batch of codes, or it is another seller's",
);
/// Somebody has it.
pub const CODE_TEXT_TAKEN: Reason = Reason::new(
    "CODE_TEXT_TAKEN",
    Code::AlreadyExists,
    "this text is a code already, perhaps another seller's; choose another one",
);

/// It is being prepared.
pub const CAMPAIGN_NOT_OPEN: Reason = Reason::new(
    "CAMPAIGN_NOT_OPEN",
    Code::FailedPrecondition,
    "the campaign is a DRAFT; open it before its coupons are granted",
);
/// No such grant.
pub const GRANT_NOT_FOUND: Reason = Reason::new(
    "GRANT_NOT_FOUND",
    Code::NotFound,
    "there is no such grant, or it is another seller's",
);
/// It is done.
pub const GRANT_FINISHED: Reason = Reason::new(
    "GRANT_FINISHED",
    Code::FailedPrecondition,
    "every account of the grant was looked at: nothing is left to cancel",
);

/// It is under way.
pub const GRANT_NOT_FINISHED: Reason = Reason::new(
    "GRANT_NOT_FINISHED",
    Code::FailedPrecondition,
    "the grant still gives coupons; cancel it, or wait until it is done, before they are taken back",
);

/// Some of the chosen ones do not fit.
pub const COUPONS_NOT_USABLE: Reason = Reason::new(
    "COUPONS_NOT_USABLE",
    Code::FailedPrecondition,
    "PreconditionFailure names the chosen coupons that cannot be used for this order, and why; choose without them",
);
/// Its coupons went back.
pub const RESERVATION_RELEASED: Reason = Reason::new(
    "RESERVATION_RELEASED",
    Code::FailedPrecondition,
    "the reservation was released, perhaps before it was made; this is final",
);
/// Its coupons were used.
pub const RESERVATION_USED: Reason = Reason::new(
    "RESERVATION_USED",
    Code::FailedPrecondition,
    "the coupons of the reservation were used; they come back with what is cancelled",
);

/// The reasons of this service, for docs/ERRORS.md.
pub const REASONS: &[&Reason] = &[
    &CAMPAIGN_NOT_FOUND,
    &CAMPAIGN_NOT_DRAFT,
    &CLAIM_NOT_OPEN,
    &CLAIM_WINDOW_OVER,
    &COUPONS_SOLD_OUT,
    &ALREADY_CLAIMED,
    &CLAIM_UNDECIDED,
    &CLAIM_BATCH_NOT_FOUND,
    &COUPON_NOT_FOUND,
    &COUPONS_NOT_USABLE,
    &RESERVATION_RELEASED,
    &RESERVATION_USED,
    &ISSUED_OTHERWISE,
    &CODE_NOT_VALID,
    &CODE_BATCH_NOT_FOUND,
    &CODE_TEXT_TAKEN,
    &CAMPAIGN_NOT_OPEN,
    &GRANT_NOT_FOUND,
    &GRANT_FINISHED,
    &GRANT_NOT_FINISHED,
];

/// A collision is over soon.
const RETRY_SOON: Duration = Duration::from_millis(200);
/// What decides a claim is away for longer.
const RETRY_CLAIM: Duration = Duration::from_secs(1);

/// What people who claim are refused with.
pub(super) fn claiming(refusal: &claims::Refusal) -> Status {
    use claims::Refusal;

    let text = refusal.to_string();
    match refusal {
        Refusal::NoCampaign => CAMPAIGN_NOT_FOUND.refuse(text).into(),
        Refusal::Otherwise(issue) => otherwise(text, *issue),
        Refusal::Shut(cause) => shut(text, *cause),
        Refusal::SoldOut => COUPONS_SOLD_OUT.refuse(text).into(),
        Refusal::Already(coupons) => {
            let ids: Vec<String> = coupons.iter().map(ToString::to_string).collect();
            ALREADY_CLAIMED
                .refuse(text)
                .with("coupon_ids", ids.join(","))
                .into()
        }
        Refusal::Undecided => CLAIM_UNDECIDED.refuse(text).retry_after(RETRY_CLAIM).into(),
        Refusal::Busy => OVERLOADED
            .refuse(text)
            .retry_after(RETRY_CLAIM)
            .quota("instance", "claims at once")
            .into(),
        Refusal::Fault => internal(refusal),
    }
}

fn shut(text: String, cause: Shut) -> Status {
    match cause {
        Shut::NotOpen(time) => CLAIM_NOT_OPEN
            .refuse(text)
            .with("open_time", time.to_rfc3339())
            .into(),
        Shut::Over => CLAIM_WINDOW_OVER.refuse(text).into(),
    }
}

fn otherwise(text: String, issue: Issue) -> Status {
    ISSUED_OTHERWISE
        .refuse(text)
        .with("issue", issue.name())
        .into()
}

/// What sellers and administrators are refused with.
pub(super) fn managing(error: manage::Error) -> Status {
    use manage::Refusal;

    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoCampaign => CAMPAIGN_NOT_FOUND.refuse(text).into(),
            Refusal::NoClaimBatch => CLAIM_BATCH_NOT_FOUND.refuse(text).into(),
            Refusal::Refused(Refused::NotDraft) => CAMPAIGN_NOT_DRAFT.refuse(text).into(),
            Refusal::Refused(Refused::WindowOver) => CLAIM_WINDOW_OVER.refuse(text).into(),
            Refusal::PaidBySeller => {
                let mut wrong = Violations::new();
                let remedy = format!("must be 0: {text}");
                wrong.add("settings.terms.platform_share", remedy);
                wrong.refuse(&INVALID_REQUEST)
            }
            Refusal::Otherwise(issue) => otherwise(text, issue),
            Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            Refusal::RequestInProgress => REQUEST_IN_PROGRESS
                .refuse(text)
                .retry_after(RETRY_SOON)
                .into(),
        }
    })
}

/// What those who ask what an order costs are refused with.
pub(super) fn quoting(failure: quote::Failure) -> Status {
    use quote::Failure;

    let text = failure.to_string();
    match failure {
        Failure::NotUsable(unused) => not_usable(text, &unused),
        Failure::Database(error) => error.into_status(|never| match never {}),
        Failure::Fault(error) => internal(&error),
    }
}

fn not_usable(text: String, unused: &[Unused]) -> Status {
    let mut refusal = COUPONS_NOT_USABLE.refuse(text);
    for unused in unused {
        let reason = convert::quote::reason(&unused.reason);
        let kind = reason.as_str_name().trim_start_matches("WHY_NOT_USED_");
        let subject = unused.coupon_id.to_string();
        let description = convert::quote::description(&unused.reason);
        refusal = refusal.precondition(kind, &subject, &description);
    }
    refusal.into()
}

/// What bookings are refused with.
pub(super) fn reserving(error: reservations::Error) -> Status {
    use reservations::Refusal;

    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            Refusal::NotUsable(unused) => not_usable(text, &unused),
            // What was there a moment ago is there: nothing removes one.
            Refusal::Refused(reservation::Refused::NotFound) => internal(&refusal),
            Refusal::Refused(reservation::Refused::Released) => {
                RESERVATION_RELEASED.refuse(text).into()
            }
            Refusal::Refused(reservation::Refused::Used) => RESERVATION_USED.refuse(text).into(),
            Refusal::Reused => REQUEST_ID_REUSED.refuse(text).into(),
        }
    })
}

/// No such coupon.
pub(super) fn no_coupon() -> Status {
    COUPON_NOT_FOUND.refuse("there is no such coupon").into()
}
