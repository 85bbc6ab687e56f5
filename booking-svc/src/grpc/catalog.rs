//! CatalogService.

use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::catalog_service_server::{CatalogService, CatalogServiceServer};
use tonic::{Request, Response, Status};

use super::{Passes, account, convert, once, status, viewer};
use crate::app::catalogue::Catalogue;

/// Largest message that is read: max_request_bytes of ImportSeatingPlan. tonic's own limit is 4 MiB; the policy layer keeps the other
/// methods to theirs.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Answers CatalogService.
#[derive(Clone, Debug)]
pub struct CatalogApi {
    catalogue: Catalogue,
    passes: Passes,
}

impl CatalogApi {
    /// The service over `catalogue`, with what checks the passes of those who look at gated shows.
    #[must_use]
    pub fn new(catalogue: Catalogue, passes: Passes) -> Self {
        Self { catalogue, passes }
    }

    /// The service, ready to be added to a server.
    #[must_use]
    pub fn into_server(self) -> CatalogServiceServer<Self> {
        CatalogServiceServer::new(self).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl CatalogService for CatalogApi {
    async fn create_venue(
        &self,
        request: Request<pb::CreateVenueRequest>,
    ) -> Result<Response<pb::CreateVenueResponse>, Status> {
        let account = account(&request)?;
        let body = request.into_inner();
        let (request_id, spec) = convert::create_venue(&body).map_err(status::invalid)?;
        let request = once(
            "usher.booking.v1.CatalogService/CreateVenue",
            &account,
            request_id,
            &body,
        );
        let venue = self
            .catalogue
            .create_venue(request, spec)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::CreateVenueResponse {
            venue: Some(venue.into()),
        }))
    }

    async fn get_venue(
        &self,
        request: Request<pb::GetVenueRequest>,
    ) -> Result<Response<pb::GetVenueResponse>, Status> {
        let venue_id =
            convert::one_id("venue_id", &request.get_ref().venue_id).map_err(status::invalid)?;
        let venue = self.catalogue.venue(venue_id).await.map_err(status::of)?;
        Ok(Response::new(pb::GetVenueResponse {
            venue: Some(venue.into()),
        }))
    }

    async fn list_venues(
        &self,
        request: Request<pb::ListVenuesRequest>,
    ) -> Result<Response<pb::ListVenuesResponse>, Status> {
        let (list, filter, page) =
            convert::list_venues(request.get_ref()).map_err(status::invalid)?;
        let page = self
            .catalogue
            .venues(filter, page)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::ListVenuesResponse {
            next_page_token: list.token(page.next.as_ref()),
            venues: page.items.into_iter().map(pb::Venue::from).collect(),
        }))
    }

    async fn import_seating_plan(
        &self,
        request: Request<pb::ImportSeatingPlanRequest>,
    ) -> Result<Response<pb::ImportSeatingPlanResponse>, Status> {
        let account = account(&request)?;
        let body = request.into_inner();
        let request_id =
            convert::one_id("request_id", &body.request_id).map_err(status::invalid)?;
        let request = once(
            "usher.booking.v1.CatalogService/ImportSeatingPlan",
            &account,
            request_id,
            &body,
        );
        let file = body.plan.unwrap_or_default().data;
        let imported = self
            .catalogue
            .import_plan(request, file)
            .await
            .map_err(status::of)?;
        Ok(Response::new(convert::imported_plan(&imported)))
    }

    async fn create_hall(
        &self,
        request: Request<pb::CreateHallRequest>,
    ) -> Result<Response<pb::CreateHallResponse>, Status> {
        let account = account(&request)?;
        let body = request.into_inner();
        let (request_id, command) = convert::create_hall(&body).map_err(status::invalid)?;
        let request = once(
            "usher.booking.v1.CatalogService/CreateHall",
            &account,
            request_id,
            &body,
        );
        let hall = self
            .catalogue
            .create_hall(request, command)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::CreateHallResponse {
            hall: Some(hall.into()),
        }))
    }

    async fn get_hall(
        &self,
        request: Request<pb::GetHallRequest>,
    ) -> Result<Response<pb::GetHallResponse>, Status> {
        let hall_id =
            convert::one_id("hall_id", &request.get_ref().hall_id).map_err(status::invalid)?;
        let hall = self.catalogue.hall(hall_id).await.map_err(status::of)?;
        Ok(Response::new(pb::GetHallResponse {
            hall: Some(hall.into()),
        }))
    }

    async fn list_halls(
        &self,
        request: Request<pb::ListHallsRequest>,
    ) -> Result<Response<pb::ListHallsResponse>, Status> {
        let (list, venue_id, page) =
            convert::list_halls(request.get_ref()).map_err(status::invalid)?;
        let page = self
            .catalogue
            .halls(venue_id, page)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::ListHallsResponse {
            next_page_token: list.token(page.next.as_ref()),
            halls: page.items.into_iter().map(pb::Hall::from).collect(),
        }))
    }

    async fn create_show(
        &self,
        request: Request<pb::CreateShowRequest>,
    ) -> Result<Response<pb::CreateShowResponse>, Status> {
        let account = account(&request)?;
        let body = request.into_inner();
        let (request_id, spec) = convert::create_show(&body).map_err(status::invalid)?;
        let request = once(
            "usher.booking.v1.CatalogService/CreateShow",
            &account,
            request_id,
            &body,
        );
        let show = self
            .catalogue
            .create_show(request, spec)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::CreateShowResponse {
            show: Some(show.into()),
        }))
    }

    async fn get_show(
        &self,
        request: Request<pb::GetShowRequest>,
    ) -> Result<Response<pb::GetShowResponse>, Status> {
        let (viewer, wrong) = self.passes.viewer(&request).await;
        let show_id =
            convert::one_id("show_id", &request.get_ref().show_id).map_err(status::invalid)?;
        let show = self
            .catalogue
            .show(show_id, &viewer)
            .await
            .map_err(|error| status::not_shown(error, wrong))?;
        Ok(Response::new(pb::GetShowResponse {
            show: Some(show.into()),
        }))
    }

    async fn list_shows(
        &self,
        request: Request<pb::ListShowsRequest>,
    ) -> Result<Response<pb::ListShowsResponse>, Status> {
        let viewer = viewer(&request);
        let (list, filter, page) =
            convert::list_shows(request.get_ref(), &viewer).map_err(status::invalid)?;
        let page = self
            .catalogue
            .shows(filter, page)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::ListShowsResponse {
            next_page_token: list.token(page.next.as_ref()),
            shows: page.items.into_iter().map(pb::Show::from).collect(),
        }))
    }

    async fn publish_show(
        &self,
        request: Request<pb::PublishShowRequest>,
    ) -> Result<Response<pb::PublishShowResponse>, Status> {
        let account = account(&request)?;
        let body = request.into_inner();
        let (request_id, show_id) = convert::two_ids(&body.request_id, "show_id", &body.show_id)
            .map_err(status::invalid)?;
        let request = once(
            "usher.booking.v1.CatalogService/PublishShow",
            &account,
            request_id,
            &body,
        );
        let show = self
            .catalogue
            .publish_show(request, show_id)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::PublishShowResponse {
            show: Some(show.into()),
        }))
    }

    async fn create_performance(
        &self,
        request: Request<pb::CreatePerformanceRequest>,
    ) -> Result<Response<pb::CreatePerformanceResponse>, Status> {
        let account = account(&request)?;
        let body = request.into_inner();
        let (request_id, spec) = convert::create_performance(&body).map_err(status::invalid)?;
        let request = once(
            "usher.booking.v1.CatalogService/CreatePerformance",
            &account,
            request_id,
            &body,
        );
        let performance = self
            .catalogue
            .create_performance(request, spec)
            .await
            .map_err(status::of)?;
        Ok(Response::new(pb::CreatePerformanceResponse {
            performance: Some(convert::performance(performance)),
        }))
    }

    async fn get_performance(
        &self,
        request: Request<pb::GetPerformanceRequest>,
    ) -> Result<Response<pb::GetPerformanceResponse>, Status> {
        let (viewer, wrong) = self.passes.viewer(&request).await;
        let id = convert::one_id("performance_id", &request.get_ref().performance_id)
            .map_err(status::invalid)?;
        let (performance, counts) = self
            .catalogue
            .performance(id, &viewer)
            .await
            .map_err(|error| status::not_shown(error, wrong))?;
        Ok(Response::new(pb::GetPerformanceResponse {
            performance: Some(convert::with_counts(performance, counts)),
        }))
    }

    async fn list_performances(
        &self,
        request: Request<pb::ListPerformancesRequest>,
    ) -> Result<Response<pb::ListPerformancesResponse>, Status> {
        let viewer = viewer(&request);
        let asked = convert::list_performances(request.get_ref()).map_err(status::invalid)?;
        let page =
            self.catalogue
                .performances(asked.show_id, &viewer, asked.start_time_after, asked.page);
        let page = page.await.map_err(status::of)?;
        Ok(Response::new(pb::ListPerformancesResponse {
            next_page_token: asked.list.token(page.next.as_ref()),
            performances: page.items.into_iter().map(convert::performance).collect(),
        }))
    }
}
