//! CouponService as far as a bench asks it: ClaimCoupon, answered without a look at anything, or by claims under a lock.

use coupon_svc::grpc::status::COUPONS_SOLD_OUT;
use mesh::id;
use mesh::server::caller;
use prost_types::Timestamp;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::coupon_service_server::CouponService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::locked::{Locked, Wish};

/// Text of the refusal, as coupon-svc has it.
pub(super) const SOLD_OUT: &str = "every coupon has its owner";

/// Who answers.
#[derive(Clone, Debug)]
pub(super) enum Answers {
    /// Nobody: a claim of the nil campaign finds it sold out, every other one gets a coupon.
    Echo,
    /// A lock, and what stands behind it.
    Locked(Box<Locked>),
}

/// A coupon as long as those of [`settings`].
fn coupon(campaign_id: String, coupon_id: Uuid) -> Option<pb::Coupon> {
    let time = |seconds| {
        let nanos = 123_456_000;
        Some(Timestamp { seconds, nanos })
    };
    let settings = settings();
    Some(pb::Coupon {
        coupon_id: coupon_id.to_string(),
        campaign_id,
        name: settings.name,
        terms: settings.terms,
        state: pb::CouponState::Available.into(),
        issue_time: time(1_772_359_200),
        valid_from_time: time(1_772_359_200),
        expire_time: time(1_774_951_200),
    })
}

/// What the campaigns of a bench give away; when is left to whoever opens one.
pub(super) fn settings() -> pb::CampaignSettings {
    pb::CampaignSettings {
        name: "Ten percent".to_owned(),
        terms: Some(pb::CouponTerms {
            currency: "KRW".to_owned(),
            kind: pb::DiscountKind::OrderPercent.into(),
            value: 10,
            ..pb::CouponTerms::default()
        }),
        use_days: 30,
        ..pb::CampaignSettings::default()
    }
}

pub(super) fn sold_out() -> Status {
    COUPONS_SOLD_OUT.refuse(SOLD_OUT).into()
}

#[tonic::async_trait]
impl CouponService for Answers {
    async fn claim_coupon(
        &self,
        request: Request<pb::ClaimCouponRequest>,
    ) -> Result<Response<pb::ClaimCouponResponse>, Status> {
        let account = caller(&request).account;
        let pb::ClaimCouponRequest {
            request_id,
            campaign_id,
        } = request.into_inner();
        let ids = (id::parse(&request_id), id::parse(&campaign_id), account);
        let (Some(request_id), Some(campaign), Some(account)) = ids else {
            return Err(Status::invalid_argument("two ids, and a token"));
        };
        let coupon_id = match self {
            Self::Echo if campaign.is_nil() => return Err(sold_out()),
            Self::Echo => request_id,
            Self::Locked(locked) => {
                let wish = Wish {
                    coupon_id: request_id,
                    campaign_id: campaign,
                    account_id: account.account_id,
                };
                locked.claim(wish).await?
            }
        };
        let coupon = coupon(campaign_id, coupon_id);
        Ok(Response::new(pb::ClaimCouponResponse { coupon }))
    }

    async fn get_coupon(
        &self,
        _: Request<pb::GetCouponRequest>,
    ) -> Result<Response<pb::GetCouponResponse>, Status> {
        Err(Status::unimplemented("a bench does not ask"))
    }

    async fn list_my_coupons(
        &self,
        _: Request<pb::ListMyCouponsRequest>,
    ) -> Result<Response<pb::ListMyCouponsResponse>, Status> {
        Err(Status::unimplemented("a bench does not ask"))
    }

    async fn quote_best(
        &self,
        _: Request<pb::QuoteBestRequest>,
    ) -> Result<Response<pb::QuoteBestResponse>, Status> {
        Err(Status::unimplemented("a bench does not ask"))
    }
}
