//! IssuedCouponService.

use mesh::clock;
use mesh::page::{List, SIZE_MAX};
use mesh::pg::Database;
use mesh::pg::idempotency::{Key, RequestHash};
use mesh::status::{INVALID_REQUEST, Violations};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::issued_coupon_service_server::IssuedCouponService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::campaign::operator;
use super::{account, convert, status};
use crate::app::reads;
use crate::app::revocations::{self, COUPONS_MAX};

/// Answers IssuedCouponService.
#[derive(Clone, Debug)]
pub struct IssuedCouponApi {
    /// Where coupons are.
    pub database: Database,
}

#[tonic::async_trait]
impl IssuedCouponService for IssuedCouponApi {
    async fn list_issued_coupons(
        &self,
        request: Request<pb::ListIssuedCouponsRequest>,
    ) -> Result<Response<pb::ListIssuedCouponsResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let filter = pb::ListIssuedCouponsRequest {
            page_size: 0,
            page_token: String::new(),
            ..body.clone()
        };
        let list = List::new("ListIssuedCoupons", &filter);
        let mut wrong = Violations::new();
        let page = list.page::<Uuid>(
            body.page_size,
            SIZE_MAX,
            &body.page_token,
            |field, remedy| {
                wrong.add(field, remedy);
            },
        );
        let asked = convert::issued::asked(&mut wrong, body);
        let (asked, page) = wrong.finish(&INVALID_REQUEST, Some((asked, page)))?;
        let listed = reads::issued(&self.database, operator(&account), asked, page).await;
        let (listed, campaigns) = listed.map_err(status::managing)?;
        let now = clock::now();
        let coupons = listed.items.iter().filter_map(|issued| {
            let campaign = campaigns.get(&issued.coupon.campaign_id)?;
            Some(convert::issued::issued(issued, campaign, now))
        });
        Ok(Response::new(pb::ListIssuedCouponsResponse {
            coupons: coupons.collect(),
            next_page_token: list.token(listed.next.as_ref()),
        }))
    }

    async fn revoke_coupons(
        &self,
        request: Request<pb::RevokeCouponsRequest>,
    ) -> Result<Response<pb::RevokeCouponsResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let coupons = convert::coupons(&mut wrong, &body.coupon_ids, COUPONS_MAX);
        let both = request_id.zip(coupons);
        let (request_id, coupons) = wrong.finish(&INVALID_REQUEST, both)?;
        let key = Key {
            account_id: account.account_id,
            method: "usher.coupon.v1.IssuedCouponService/RevokeCoupons",
            request_id,
        };
        let (operator, hash) = (operator(&account), RequestHash::of(body));
        let revoked = revocations::revoke(&self.database, operator, key, hash, coupons).await;
        let revoked = revoked.map_err(status::revoking)?;
        let now = clock::now();
        let coupons = revoked.iter().map(|coupon| pb::RevokedCoupon {
            coupon_id: coupon.coupon_id.to_string(),
            state: convert::state(coupon.state(now)).into(),
        });
        Ok(Response::new(pb::RevokeCouponsResponse {
            coupons: coupons.collect(),
        }))
    }
}
