//! Batches of claims, on the wire.

use mesh::clock::to_timestamp;
use proto::usher::coupon::events::v1 as events;
use proto::usher::coupon::v1 as pb;

use crate::app::claim_queue::Batch;

pub(in crate::grpc) fn batch(batch: Batch) -> pb::ClaimBatch {
    let state = match batch.decided {
        None => pb::ClaimBatchState::Queued,
        Some(_) => pb::ClaimBatchState::Decided,
    };
    let decided = batch.decided.unwrap_or_default();
    pb::ClaimBatch {
        batch_id: batch.batch_id.to_string(),
        campaign_id: batch.campaign_id.to_string(),
        state: state.into(),
        queue_time: Some(to_timestamp(batch.queue_time)),
        decide_time: decided.decide_time,
        claims: decided.results.into_iter().map(claim).collect(),
    }
}

fn claim(result: events::ClaimResult) -> pb::DecidedClaim {
    use events::claim_result::Outcome as Told;
    use pb::decided_claim::Outcome;

    let outcome = result.outcome.map(|outcome| match outcome {
        Told::CouponId(coupon_id) => Outcome::CouponId(coupon_id),
        Told::Refusal(refusal) => {
            let refusal = events::ClaimRefusal::try_from(refusal).unwrap_or_default();
            Outcome::Refusal(self::refusal(refusal).into())
        }
    });
    pb::DecidedClaim {
        request_id: result.request_id,
        account_id: result.account_id,
        outcome,
    }
}

const fn refusal(refusal: events::ClaimRefusal) -> pb::ClaimRefusal {
    match refusal {
        events::ClaimRefusal::Unspecified => pb::ClaimRefusal::Unspecified,
        events::ClaimRefusal::SoldOut => pb::ClaimRefusal::SoldOut,
        events::ClaimRefusal::AlreadyClaimed => pb::ClaimRefusal::AlreadyClaimed,
        events::ClaimRefusal::NotOpen => pb::ClaimRefusal::NotOpen,
        events::ClaimRefusal::WindowOver => pb::ClaimRefusal::WindowOver,
    }
}
