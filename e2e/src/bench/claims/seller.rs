//! Campaigns of a bench: opened by an administrator, and counted.

use chrono::TimeDelta;
use mesh::clock::{self, to_timestamp};
use mesh::id;
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::campaign_service_client::CampaignServiceClient;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use super::callers::Token;
use crate::bench::{BenchError, failed};

/// Who opens campaigns.
pub(super) struct Seller {
    pub(super) campaigns: CampaignServiceClient<Channel>,
    pub(super) token: Token,
    /// Coupons of a campaign.
    pub(super) stock: i64,
}

impl Seller {
    fn order<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.token.clone();
        request.metadata_mut().insert("authorization", token);
        request
    }

    pub(super) async fn open(&self, settings: pb::CampaignSettings) -> Result<Uuid, BenchError> {
        let (now, mut campaigns) = (clock::now(), self.campaigns.clone());
        let create = self.order(pb::CreateCampaignRequest {
            request_id: id::new().to_string(),
            settings: Some(pb::CampaignSettings {
                stock: self.stock,
                claim_open_time: Some(to_timestamp(now - TimeDelta::hours(1))),
                claim_close_time: Some(to_timestamp(now + TimeDelta::days(1))),
                ..settings
            }),
        });
        let created = campaigns.create_campaign(create).await;
        let created = created.map_err(failed("CreateCampaign"))?.into_inner();
        let campaign_id = created.campaign.unwrap_or_default().campaign_id;
        let open = self.order(pb::OpenCampaignRequest {
            request_id: id::new().to_string(),
            campaign_id: campaign_id.clone(),
        });
        let opened = campaigns.open_campaign(open).await;
        opened.map_err(failed("OpenCampaign"))?;
        let unknown = || BenchError::Contradiction("a campaign without id".to_owned());
        id::parse(&campaign_id).ok_or_else(unknown)
    }

    pub(super) async fn issued(&self, campaign_id: Uuid) -> Result<u64, BenchError> {
        let ask = self.order(pb::GetCampaignStatsRequest {
            campaign_id: campaign_id.to_string(),
        });
        let stats = self.campaigns.clone().get_campaign_stats(ask).await;
        let stats = stats
            .map_err(failed("GetCampaignStats"))?
            .into_inner()
            .stats;
        Ok(stats.unwrap_or_default().issued)
    }
}
