//! CampaignService.

use mesh::clock;
use mesh::identity::Account;
use mesh::page::{List, SIZE_MAX};
use mesh::pg::idempotency::{Key, RequestHash};
use mesh::status::{INVALID_REQUEST, Violations};
use prost::Message;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::campaign_service_server::CampaignService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{account, convert, status};
use crate::app::manage::{Command, Managing, Operator, Wish};

/// Answers CampaignService.
#[derive(Clone, Debug)]
pub struct CampaignApi {
    /// The use cases.
    pub managing: Managing,
}

pub(super) fn operator(account: &Account) -> Operator {
    if account.is_admin() {
        Operator::Admin
    } else {
        Operator::Seller(account.account_id)
    }
}

impl CampaignApi {
    async fn carry_out<T: Message>(
        &self,
        request: &Request<T>,
        (method, request_id): (&'static str, &str),
        mut wrong: Violations,
        wish: Option<Wish>,
    ) -> Result<Option<pb::Campaign>, Status> {
        let account = account(request)?;
        let request_id = convert::id(&mut wrong, "request_id", request_id);
        let (request_id, wish) = wrong.finish(&INVALID_REQUEST, request_id.zip(wish))?;
        let command = Command {
            key: Key {
                account_id: account.account_id,
                method,
                request_id,
            },
            hash: RequestHash::of(request.get_ref()),
            operator: operator(&account),
            wish,
        };
        let campaign = self.managing.carry_out(command).await;
        let campaign = campaign.map_err(status::managing)?;
        Ok(Some(convert::campaign(&campaign, clock::now())))
    }
}

#[tonic::async_trait]
impl CampaignService for CampaignApi {
    async fn create_campaign(
        &self,
        request: Request<pb::CreateCampaignRequest>,
    ) -> Result<Response<pb::CreateCampaignResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let settings = convert::settings(&mut wrong, body.settings.as_ref(), operator.seller_id());
        let wish = settings.map(|settings| Wish::Create(Box::new(settings)));
        let call = (
            "usher.coupon.v1.CampaignService/CreateCampaign",
            &*body.request_id,
        );
        let campaign = self.carry_out(&request, call, wrong, wish).await?;
        Ok(Response::new(pb::CreateCampaignResponse { campaign }))
    }

    async fn update_campaign(
        &self,
        request: Request<pb::UpdateCampaignRequest>,
    ) -> Result<Response<pb::UpdateCampaignResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let campaign_id = convert::id(&mut wrong, "campaign_id", &body.campaign_id);
        let settings = convert::settings(&mut wrong, body.settings.as_ref(), operator.seller_id());
        let both = campaign_id.zip(settings);
        let wish =
            both.map(|(campaign_id, settings)| Wish::Update(campaign_id, Box::new(settings)));
        let call = (
            "usher.coupon.v1.CampaignService/UpdateCampaign",
            &*body.request_id,
        );
        let campaign = self.carry_out(&request, call, wrong, wish).await?;
        Ok(Response::new(pb::UpdateCampaignResponse { campaign }))
    }

    async fn open_campaign(
        &self,
        request: Request<pb::OpenCampaignRequest>,
    ) -> Result<Response<pb::OpenCampaignResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let wish = convert::id(&mut wrong, "campaign_id", &body.campaign_id).map(Wish::Open);
        let call = (
            "usher.coupon.v1.CampaignService/OpenCampaign",
            &*body.request_id,
        );
        let campaign = self.carry_out(&request, call, wrong, wish).await?;
        Ok(Response::new(pb::OpenCampaignResponse { campaign }))
    }

    async fn end_campaign(
        &self,
        request: Request<pb::EndCampaignRequest>,
    ) -> Result<Response<pb::EndCampaignResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let wish = convert::id(&mut wrong, "campaign_id", &body.campaign_id).map(Wish::End);
        let call = (
            "usher.coupon.v1.CampaignService/EndCampaign",
            &*body.request_id,
        );
        let campaign = self.carry_out(&request, call, wrong, wish).await?;
        Ok(Response::new(pb::EndCampaignResponse { campaign }))
    }

    async fn get_campaign(
        &self,
        request: Request<pb::GetCampaignRequest>,
    ) -> Result<Response<pb::GetCampaignResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let campaign_id = convert::one_id("campaign_id", &request.get_ref().campaign_id)?;
        let campaign = self.managing.get(operator, campaign_id).await;
        let campaign = campaign.map_err(status::managing)?;
        let campaign = Some(convert::campaign(&campaign, clock::now()));
        Ok(Response::new(pb::GetCampaignResponse { campaign }))
    }

    async fn list_campaigns(
        &self,
        request: Request<pb::ListCampaignsRequest>,
    ) -> Result<Response<pb::ListCampaignsResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let filter = pb::ListCampaignsRequest {
            state: body.state,
            ..pb::ListCampaignsRequest::default()
        };
        let list = List::new("ListCampaigns", &filter);
        let mut wrong = Violations::new();
        let page = list.page::<Uuid>(
            body.page_size,
            SIZE_MAX,
            &body.page_token,
            |field, remedy| {
                wrong.add(field, remedy);
            },
        );
        let standing = convert::standing_asked(&mut wrong, body.state);
        let page = wrong.finish(&INVALID_REQUEST, Some(page))?;
        let listed = self.managing.list(operator(&account), standing, page).await;
        let listed = listed.map_err(status::managing)?;
        let now = clock::now();
        let campaigns = listed.items.iter();
        Ok(Response::new(pb::ListCampaignsResponse {
            campaigns: campaigns
                .map(|campaign| convert::campaign(campaign, now))
                .collect(),
            next_page_token: list.token(listed.next.as_ref()),
        }))
    }

    async fn get_campaign_stats(
        &self,
        request: Request<pb::GetCampaignStatsRequest>,
    ) -> Result<Response<pb::GetCampaignStatsResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let campaign_id = convert::one_id("campaign_id", &request.get_ref().campaign_id)?;
        let counted = self.managing.stats(operator, campaign_id).await;
        let (counts, remaining) = counted.map_err(status::managing)?;
        let stats = Some(convert::stats(counts, remaining));
        Ok(Response::new(pb::GetCampaignStatsResponse { stats }))
    }
}
