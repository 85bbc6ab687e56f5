//! SagaAdminService.

use mesh::pg::Database;
use prost::Message;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::saga_admin_service_server::SagaAdminService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::status::sale;
use super::{account, convert, once, status};
use crate::app::saga_admin::{self, Act, Order};
use crate::domain::finding::Findings;
use crate::saga::Sagas;

/// Answers SagaAdminService.
#[derive(Clone, Debug)]
pub struct SagaAdminApi {
    /// The sagas.
    pub sagas: Sagas,
    /// Where they are read.
    pub database: Database,
}

/// Ids and reason of an order.
type Asked = Result<(Uuid, Uuid, String), Findings>;

impl SagaAdminApi {
    async fn carry_out<T: Message>(
        &self,
        request: &Request<T>,
        method: &'static str,
        asked: Asked,
        act: Act,
    ) -> Result<Option<pb::Saga>, Status> {
        let account = account(request)?;
        let (request_id, saga_id, reason) = asked.map_err(status::invalid)?;
        let once = once(method, &account, request_id, request.get_ref());
        let order = Order {
            key: once.key,
            hash: once.hash,
            saga_id,
            reason,
            act,
        };
        let saga = saga_admin::carry_out(&self.sagas, order).await;
        convert::saga(&saga.map_err(sale::not_moved)?).map(Some)
    }
}

#[tonic::async_trait]
impl SagaAdminService for SagaAdminApi {
    async fn list_sagas(
        &self,
        request: Request<pb::ListSagasRequest>,
    ) -> Result<Response<pb::ListSagasResponse>, Status> {
        let (list, filter, page) =
            convert::list_sagas(request.get_ref()).map_err(status::invalid)?;
        let page = saga_admin::list(&self.database, filter, page).await;
        let page = page.map_err(sale::unread)?;
        let sagas = page.items.iter().map(convert::saga);
        Ok(Response::new(pb::ListSagasResponse {
            sagas: sagas.collect::<Result<_, _>>()?,
            next_page_token: list.token(page.next.as_ref()),
        }))
    }

    async fn get_saga(
        &self,
        request: Request<pb::GetSagaRequest>,
    ) -> Result<Response<pb::GetSagaResponse>, Status> {
        let saga_id =
            convert::one_id("saga_id", &request.get_ref().saga_id).map_err(status::invalid)?;
        let found = saga_admin::get(&self.database, saga_id).await;
        let (saga, events) = found.map_err(sale::unread)?.ok_or_else(sale::no_saga)?;
        Ok(Response::new(pb::GetSagaResponse {
            saga: Some(convert::saga(&saga)?),
            events: events.into_iter().map(convert::saga_event).collect(),
        }))
    }

    async fn retry_saga(
        &self,
        request: Request<pb::RetrySagaRequest>,
    ) -> Result<Response<pb::RetrySagaResponse>, Status> {
        let body = request.get_ref();
        let asked = convert::saga_order(&body.request_id, &body.saga_id, &body.reason);
        let method = "usher.booking.v1.SagaAdminService/RetrySaga";
        let saga = self.carry_out(&request, method, asked, Act::Retry).await?;
        Ok(Response::new(pb::RetrySagaResponse { saga }))
    }

    async fn park_saga(
        &self,
        request: Request<pb::ParkSagaRequest>,
    ) -> Result<Response<pb::ParkSagaResponse>, Status> {
        let body = request.get_ref();
        let asked = convert::saga_order(&body.request_id, &body.saga_id, &body.reason);
        let method = "usher.booking.v1.SagaAdminService/ParkSaga";
        let saga = self.carry_out(&request, method, asked, Act::Park).await?;
        Ok(Response::new(pb::ParkSagaResponse { saga }))
    }
}
