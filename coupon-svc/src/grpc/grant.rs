//! GrantService.

use mesh::page::{List, SIZE_MAX};
use mesh::pg::idempotency::{Key, RequestHash};
use mesh::status::{INVALID_REQUEST, Violations};
use prost::Message;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::grant_service_server::GrantService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::campaign::operator;
use super::{account, convert, status};
use crate::app::grants::{Grants, Wish};

/// Answers GrantService.
#[derive(Clone, Debug)]
pub struct GrantApi {
    /// The use cases.
    pub grants: Grants,
}

impl GrantApi {
    async fn carry_out<T: Message>(
        &self,
        request: &Request<T>,
        (method, request_id): (&'static str, &str),
        mut wrong: Violations,
        wish: Option<Wish>,
    ) -> Result<Option<pb::Grant>, Status> {
        let account = account(request)?;
        let request_id = convert::id(&mut wrong, "request_id", request_id);
        let (request_id, wish) = wrong.finish(&INVALID_REQUEST, request_id.zip(wish))?;
        let key = Key {
            account_id: account.account_id,
            method,
            request_id,
        };
        let hash = RequestHash::of(request.get_ref());
        let grant = self.grants.carry_out(operator(&account), key, hash, wish);
        let grant = grant.await.map_err(status::granting)?;
        Ok(Some(convert::grant::grant(&grant)))
    }
}

#[tonic::async_trait]
impl GrantService for GrantApi {
    async fn grant_coupons(
        &self,
        request: Request<pb::GrantCouponsRequest>,
    ) -> Result<Response<pb::GrantCouponsResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let campaign_id = convert::id(&mut wrong, "campaign_id", &body.campaign_id);
        let accounts = convert::grant::accounts(&mut wrong, &body.account_ids);
        let wish = campaign_id.zip(accounts);
        let wish = wish.map(|(campaign_id, accounts)| Wish::Grant(campaign_id, accounts));
        let call = (
            "usher.coupon.v1.GrantService/GrantCoupons",
            &*body.request_id,
        );
        let grant = self.carry_out(&request, call, wrong, wish).await?;
        Ok(Response::new(pb::GrantCouponsResponse { grant }))
    }

    async fn get_grant(
        &self,
        request: Request<pb::GetGrantRequest>,
    ) -> Result<Response<pb::GetGrantResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let grant_id = convert::one_id("grant_id", &request.get_ref().grant_id)?;
        let grant = self.grants.get(operator, grant_id).await;
        let grant = Some(convert::grant::grant(&grant.map_err(status::granting)?));
        Ok(Response::new(pb::GetGrantResponse { grant }))
    }

    async fn list_grants(
        &self,
        request: Request<pb::ListGrantsRequest>,
    ) -> Result<Response<pb::ListGrantsResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let filter = pb::ListGrantsRequest {
            campaign_id: body.campaign_id.clone(),
            ..pb::ListGrantsRequest::default()
        };
        let list = List::new("ListGrants", &filter);
        let mut wrong = Violations::new();
        let page = list.page::<Uuid>(
            body.page_size,
            SIZE_MAX,
            &body.page_token,
            |field, remedy| {
                wrong.add(field, remedy);
            },
        );
        let campaign_id = convert::id(&mut wrong, "campaign_id", &body.campaign_id);
        let asked = campaign_id.map(|campaign_id| (campaign_id, page));
        let (campaign_id, page) = wrong.finish(&INVALID_REQUEST, asked)?;
        let listed = self
            .grants
            .list(operator(&account), campaign_id, page)
            .await;
        let listed = listed.map_err(status::granting)?;
        Ok(Response::new(pb::ListGrantsResponse {
            grants: listed.items.iter().map(convert::grant::grant).collect(),
            next_page_token: list.token(listed.next.as_ref()),
        }))
    }

    async fn list_grant_recipients(
        &self,
        request: Request<pb::ListGrantRecipientsRequest>,
    ) -> Result<Response<pb::ListGrantRecipientsResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let filter = pb::ListGrantRecipientsRequest {
            grant_id: body.grant_id.clone(),
            outcome: body.outcome,
            ..pb::ListGrantRecipientsRequest::default()
        };
        let list = List::new("ListGrantRecipients", &filter);
        let mut wrong = Violations::new();
        let page = list.page::<u32>(
            body.page_size,
            SIZE_MAX,
            &body.page_token,
            |field, remedy| {
                wrong.add(field, remedy);
            },
        );
        let outcome = convert::grant::outcome_asked(&mut wrong, body.outcome);
        let grant_id = convert::id(&mut wrong, "grant_id", &body.grant_id);
        let asked = grant_id.map(|grant_id| (grant_id, page));
        let (grant_id, page) = wrong.finish(&INVALID_REQUEST, asked)?;
        let operator = operator(&account);
        let listed = self.grants.recipients(operator, grant_id, outcome, page);
        let listed = listed.await.map_err(status::granting)?;
        let recipients = listed.items.iter().map(convert::grant::recipient);
        Ok(Response::new(pb::ListGrantRecipientsResponse {
            recipients: recipients.collect(),
            next_page_token: list.token(listed.next.as_ref()),
        }))
    }

    async fn cancel_grant(
        &self,
        request: Request<pb::CancelGrantRequest>,
    ) -> Result<Response<pb::CancelGrantResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let wish = convert::id(&mut wrong, "grant_id", &body.grant_id).map(Wish::Cancel);
        let call = (
            "usher.coupon.v1.GrantService/CancelGrant",
            &*body.request_id,
        );
        let grant = self.carry_out(&request, call, wrong, wish).await?;
        Ok(Response::new(pb::CancelGrantResponse { grant }))
    }

    async fn revoke_grant(
        &self,
        request: Request<pb::RevokeGrantRequest>,
    ) -> Result<Response<pb::RevokeGrantResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let request_id = convert::id(&mut wrong, "request_id", &body.request_id);
        let grant_id = convert::id(&mut wrong, "grant_id", &body.grant_id);
        let both = request_id.zip(grant_id);
        let (request_id, grant_id) = wrong.finish(&INVALID_REQUEST, both)?;
        let key = Key {
            account_id: account.account_id,
            method: "usher.coupon.v1.GrantService/RevokeGrant",
            request_id,
        };
        let (operator, hash) = (operator(&account), RequestHash::of(body));
        let revoked = self.grants.revoke(operator, key, hash, grant_id).await;
        let (grant, left) = revoked.map_err(status::granting)?;
        Ok(Response::new(pb::RevokeGrantResponse {
            grant: Some(convert::grant::grant(&grant)),
            revoked: left.revoked,
            reserved: left.reserved,
            used: left.used,
        }))
    }
}
