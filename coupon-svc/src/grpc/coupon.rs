//! CouponService.

use mesh::clock;
use mesh::page::{List, SIZE_MAX};
use mesh::pg::{Database, TxError};
use mesh::status::{INVALID_REQUEST, Violations};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::coupon_service_server::CouponService;
use tonic::{Request, Response, Status};

use super::{account, convert, status};
use crate::app::claims::Claims;
use crate::app::quote;
use crate::app::reads::{self, Place};

/// Answers CouponService.
#[derive(Clone, Debug)]
pub struct CouponApi {
    /// The way to coupons.
    pub claims: Claims,
    /// Where they are.
    pub database: Database,
}

fn unread(error: TxError<std::convert::Infallible>) -> Status {
    error.into_status(|never| match never {})
}

#[tonic::async_trait]
impl CouponService for CouponApi {
    async fn claim_coupon(
        &self,
        request: Request<pb::ClaimCouponRequest>,
    ) -> Result<Response<pb::ClaimCouponResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let campaign_id = convert::id(&mut wrong, "campaign_id", &body.campaign_id);
        let both = campaign_id.zip(request_id);
        let (campaign_id, request_id) = wrong.finish(&INVALID_REQUEST, both)?;
        let claimed = self
            .claims
            .claim(campaign_id, account.account_id, request_id);
        match claimed.await {
            Ok((campaign, coupon)) => {
                let coupon = Some(convert::coupon(&coupon, &campaign, clock::now()));
                Ok(Response::new(pb::ClaimCouponResponse { coupon }))
            }
            Err(refusal) => Err(status::claiming(&refusal)),
        }
    }

    async fn get_coupon(
        &self,
        request: Request<pb::GetCouponRequest>,
    ) -> Result<Response<pb::GetCouponResponse>, Status> {
        let account = account(&request)?;
        let coupon_id = convert::one_id("coupon_id", &request.get_ref().coupon_id)?;
        let owner = (!account.is_admin()).then_some(account.account_id);
        let found = reads::coupon(&self.database, owner, coupon_id).await;
        let found = found.map_err(unread)?;
        let (coupon, campaign) = found.ok_or_else(status::no_coupon)?;
        let coupon = Some(convert::coupon(&coupon, &campaign, clock::now()));
        Ok(Response::new(pb::GetCouponResponse { coupon }))
    }

    async fn list_my_coupons(
        &self,
        request: Request<pb::ListMyCouponsRequest>,
    ) -> Result<Response<pb::ListMyCouponsResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let filter = pb::ListMyCouponsRequest {
            state: body.state,
            ..pb::ListMyCouponsRequest::default()
        };
        let list = List::new("ListMyCoupons", &filter);
        let mut wrong = Violations::new();
        let page = list.page::<Place>(
            body.page_size,
            SIZE_MAX,
            &body.page_token,
            |field, remedy| {
                wrong.add(field, remedy);
            },
        );
        let state = convert::state_asked(&mut wrong, body.state);
        let page = wrong.finish(&INVALID_REQUEST, Some(page))?;
        let listed = reads::coupons(&self.database, account.account_id, state, page).await;
        let (listed, campaigns) = listed.map_err(unread)?;
        let now = clock::now();
        let coupons = listed.items.iter().filter_map(|coupon| {
            let campaign = campaigns.get(&coupon.campaign_id)?;
            Some(convert::coupon(coupon, campaign, now))
        });
        Ok(Response::new(pb::ListMyCouponsResponse {
            coupons: coupons.collect(),
            next_page_token: list.token(listed.next.as_ref()),
        }))
    }

    async fn quote_best(
        &self,
        request: Request<pb::QuoteBestRequest>,
    ) -> Result<Response<pb::QuoteBestResponse>, Status> {
        let (account_id, order, chosen) = convert::quote::asked(request.get_ref())?;
        let quoted = quote::quote(&self.database, account_id, order, chosen).await;
        let quote = quoted.map_err(status::quoting)?;
        Ok(Response::new(pb::QuoteBestResponse {
            quote: Some(convert::quote::told(&quote)),
        }))
    }
}
