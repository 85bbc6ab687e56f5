//! What those are refused with who take coupons back.

use mesh::status::{REQUEST_ID_REUSED, REQUEST_IN_PROGRESS};
use tonic::Status;

use super::{COUPON_NOT_FOUND, RETRY_SOON};
use crate::app::revocations;

/// Coupons that a refusal names: what fits into the headers that clients read. Who puts these right is told of the next ones.
const NAMED_MAX: usize = 20;

/// What sellers and administrators are refused with who take coupons back.
pub(in crate::grpc) fn revoking(error: revocations::Error) -> Status {
    use revocations::Refusal;

    error.into_status(|refusal| {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoCoupons(coupons) => {
                let named = coupons.iter().take(NAMED_MAX).map(ToString::to_string);
                let named: Vec<String> = named.collect();
                COUPON_NOT_FOUND
                    .refuse(text)
                    .with("coupon_ids", named.join(","))
                    .into()
            }
            Refusal::RequestIdReused => REQUEST_ID_REUSED.refuse(text).into(),
            Refusal::RequestInProgress => REQUEST_IN_PROGRESS
                .refuse(text)
                .retry_after(RETRY_SOON)
                .into(),
        }
    })
}
