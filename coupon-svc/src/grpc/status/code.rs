//! What those are refused with who make and redeem codes.

use mesh::status::{
    INVALID_REQUEST, RATE_LIMITED, REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, Violations, internal,
};
use tonic::Status;

use super::{
    ALREADY_CLAIMED, CAMPAIGN_NOT_FOUND, CLAIM_UNDECIDED, CLAIM_WINDOW_OVER, CODE_BATCH_NOT_FOUND,
    CODE_NOT_VALID, CODE_TEXT_TAKEN, RETRY_CLAIM, RETRY_SOON, otherwise,
};
use crate::app::codes;
use crate::app::codes::redeem;

/// What sellers and administrators are refused with who make codes.
pub(in crate::grpc) fn coding(error: codes::Error) -> Status {
    use codes::Refusal;

    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoCampaign => CAMPAIGN_NOT_FOUND.refuse(text).into(),
            Refusal::NoBatch => CODE_BATCH_NOT_FOUND.refuse(text).into(),
            Refusal::Otherwise(issue) => otherwise(text, issue),
            Refusal::Over => CLAIM_WINDOW_OVER.refuse(text).into(),
            Refusal::TooManyUses(most) => {
                let mut wrong = Violations::new();
                wrong.add("uses", format!("must be 1..{most}, as the campaign has"));
                wrong.refuse(&INVALID_REQUEST)
            }
            Refusal::TextTaken => CODE_TEXT_TAKEN.refuse(text).into(),
            Refusal::TooMany(wait) => RATE_LIMITED
                .refuse(text)
                .retry_after(wait)
                .quota("account", "texts that are taken")
                .into(),
            Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            Refusal::RequestInProgress => REQUEST_IN_PROGRESS
                .refuse(text)
                .retry_after(RETRY_SOON)
                .into(),
        }
    })
}

/// What people who redeem codes are refused with.
pub(in crate::grpc) fn redeeming(refusal: &redeem::Refusal) -> Status {
    use redeem::Refusal;

    let text = refusal.to_string();
    let already = |text: String, coupons: &[uuid::Uuid]| {
        let ids: Vec<String> = coupons.iter().map(ToString::to_string).collect();
        ALREADY_CLAIMED
            .refuse(text)
            .with("coupon_ids", ids.join(","))
            .into()
    };
    match refusal {
        Refusal::NotValid => CODE_NOT_VALID.refuse(text).into(),
        Refusal::Own(coupon_id) => already(text, &[*coupon_id]),
        Refusal::Already(coupons) => already(text, coupons),
        Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
        Refusal::TooMany(wait) => RATE_LIMITED
            .refuse(text)
            .retry_after(*wait)
            .quota("account", "wrong codes")
            .into(),
        Refusal::Undecided => CLAIM_UNDECIDED.refuse(text).retry_after(RETRY_CLAIM).into(),
        Refusal::Fault => internal(refusal),
    }
}
