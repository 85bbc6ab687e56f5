//! ClaimQueueService.

use std::collections::HashSet;

use mesh::pg::idempotency::{Key, RequestHash};
use mesh::status::{INVALID_REQUEST, Violations};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::claim_queue_service_server::ClaimQueueService;
use tonic::{Request, Response, Status};

use super::campaign::operator;
use super::{account, convert, status};
use crate::app::claim_queue::{CLAIMS_MAX, ClaimQueue, Order};
use crate::app::claims::batch::QueuedClaim;

/// Answers ClaimQueueService.
#[derive(Clone, Debug)]
pub struct ClaimQueueApi {
    /// The use cases.
    pub queue: ClaimQueue,
}

#[tonic::async_trait]
impl ClaimQueueService for ClaimQueueApi {
    async fn claim_coupons_async(
        &self,
        request: Request<pb::ClaimCouponsAsyncRequest>,
    ) -> Result<Response<pb::ClaimCouponsAsyncResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let campaign_id = convert::id(&mut wrong, "campaign_id", &body.campaign_id);
        let claims = claims(&mut wrong, &body.claims);
        let all = request_id.zip(campaign_id);
        let (request_id, campaign_id) = wrong.finish(&INVALID_REQUEST, all)?;
        let order = Order {
            key: Key {
                account_id: account.account_id,
                method: "usher.coupon.v1.ClaimQueueService/ClaimCouponsAsync",
                request_id,
            },
            hash: RequestHash::of(body),
            operator: operator(&account),
            campaign_id,
            claims,
        };
        let batch_id = self.queue.accept(order).await;
        let batch_id = batch_id.map_err(status::managing)?.to_string();
        Ok(Response::new(pb::ClaimCouponsAsyncResponse { batch_id }))
    }

    async fn get_claim_batch(
        &self,
        request: Request<pb::GetClaimBatchRequest>,
    ) -> Result<Response<pb::GetClaimBatchResponse>, Status> {
        let account = account(&request)?;
        let batch_id = convert::one_id("batch_id", &request.get_ref().batch_id)?;
        let owner = (!account.is_admin()).then_some(account.account_id);
        let batch = self.queue.get(owner, batch_id).await;
        let batch = batch.map_err(status::managing)?;
        Ok(Response::new(pb::GetClaimBatchResponse {
            batch: Some(convert::claim_batch::batch(batch)),
        }))
    }
}

fn claims(wrong: &mut Violations, given: &[pb::AccountClaim]) -> Vec<QueuedClaim> {
    if !(1..=CLAIMS_MAX).contains(&given.len()) {
        wrong.add("claims", format!("must be 1 to {CLAIMS_MAX} claims"));
        return Vec::new();
    }
    let mut accounts = HashSet::new();
    let mut claims = Vec::with_capacity(given.len());
    for (index, claim) in given.iter().enumerate() {
        let field = |name: &str| format!("claims[{index}].{name}");
        let request_id = convert::id(wrong, &field("request_id"), &claim.request_id);
        let account_id = convert::id(wrong, &field("account_id"), &claim.account_id);
        if account_id.is_some_and(|account_id| !accounts.insert(account_id)) {
            let remedy = "is in the batch already: put its next claim into another one";
            wrong.add(field("account_id"), remedy);
        }
        if let (Some(request_id), Some(account_id)) = (request_id, account_id) {
            claims.push(QueuedClaim {
                request_id,
                account_id,
            });
        }
    }
    claims
}
