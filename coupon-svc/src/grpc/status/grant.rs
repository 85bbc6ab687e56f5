//! What those are refused with who grant coupons.

use mesh::status::{REQUEST_ID_REUSED, REQUEST_IN_PROGRESS};
use tonic::Status;

use super::{
    CAMPAIGN_NOT_FOUND, CAMPAIGN_NOT_OPEN, GRANT_FINISHED, GRANT_NOT_FINISHED, GRANT_NOT_FOUND,
    RETRY_SOON, otherwise, shut,
};
use crate::app::grants;

/// What sellers and administrators are refused with who grant coupons.
pub(in crate::grpc) fn granting(error: grants::Error) -> Status {
    use grants::Refusal;

    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoCampaign => CAMPAIGN_NOT_FOUND.refuse(text).into(),
            Refusal::NoGrant => GRANT_NOT_FOUND.refuse(text).into(),
            Refusal::Otherwise(issue) => otherwise(text, issue),
            Refusal::Draft => CAMPAIGN_NOT_OPEN.refuse(text).into(),
            Refusal::Shut(cause) => shut(text, cause),
            Refusal::Finished(_) => GRANT_FINISHED.refuse(text).into(),
            Refusal::Unfinished => GRANT_NOT_FINISHED.refuse(text).into(),
            Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            Refusal::RequestInProgress => REQUEST_IN_PROGRESS
                .refuse(text)
                .retry_after(RETRY_SOON)
                .into(),
        }
    })
}
