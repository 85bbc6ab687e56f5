//! InventoryService.

use mesh::pg::Database;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::inventory_service_server::InventoryService;
use tonic::{Request, Response, Status};

use super::status::sale;
use super::{Passes, account, convert, reader, status, units};
use crate::app::catalogue::Catalogue;
use crate::app::inventory::Inventory;
use crate::app::reads;
use crate::domain::hold::Hold;
use crate::domain::inventory::Command;

/// Scope of partners who sell to people of their own.
const SELL: &str = "sell";

/// Answers InventoryService.
#[derive(Clone, Debug)]
pub struct InventoryApi {
    /// The catalogue's view of units.
    pub catalogue: Catalogue,
    /// The way to every counter.
    pub inventory: Inventory,
    /// Where holds are read.
    pub database: Database,
    /// Checks passes of waiting rooms.
    pub passes: Passes,
}

impl InventoryApi {
    async fn answer(&self, hold: &Hold) -> Result<pb::Hold, Status> {
        let units = hold.lines.iter().map(|line| line.unit).collect();
        let seats = reads::seats(&self.database, units)
            .await
            .map_err(sale::unread)?;
        Ok(convert::hold(hold, &seats))
    }
}

#[tonic::async_trait]
impl InventoryService for InventoryApi {
    async fn list_units(
        &self,
        request: Request<pb::ListUnitsRequest>,
    ) -> Result<Response<pb::ListUnitsResponse>, Status> {
        units::list_units(&self.catalogue, &self.passes, request).await
    }

    async fn hold_units(
        &self,
        request: Request<pb::HoldUnitsRequest>,
    ) -> Result<Response<pb::HoldUnitsResponse>, Status> {
        let account = account(&request)?;
        let sells = account.scopes.iter().any(|scope| scope == SELL);
        let mut wanted = convert::hold_units(request.get_ref(), account.account_id, sells)
            .map_err(status::invalid)?;
        let admitted = self
            .passes
            .admitted(request.metadata(), account.account_id)
            .await;
        // A pass is for the person who waited: with it a partner would serve any number of others.
        if wanted.buyer_reference.is_none() {
            wanted.admitted = admitted.passes;
        }
        let held = self
            .inventory
            .submit(Command::Hold(wanted))
            .await
            .map_err(|failure| sale::not_let_in(failure, admitted.wrong))?;
        let hold = Some(self.answer(&held).await?);
        Ok(Response::new(pb::HoldUnitsResponse { hold }))
    }

    async fn get_hold(
        &self,
        request: Request<pb::GetHoldRequest>,
    ) -> Result<Response<pb::GetHoldResponse>, Status> {
        let reader = reader(&request)?;
        let hold_id =
            convert::one_id("hold_id", &request.get_ref().hold_id).map_err(status::invalid)?;
        let found = reads::hold(&self.database, hold_id, reader)
            .await
            .map_err(sale::unread)?;
        let found = found.ok_or_else(sale::no_hold)?;
        let hold = Some(self.answer(&found).await?);
        Ok(Response::new(pb::GetHoldResponse { hold }))
    }

    async fn list_holds(
        &self,
        request: Request<pb::ListHoldsRequest>,
    ) -> Result<Response<pb::ListHoldsResponse>, Status> {
        let account_id = account(&request)?.account_id;
        let (list, state, page) =
            convert::list_holds(request.get_ref()).map_err(status::invalid)?;
        let page = reads::holds(&self.database, account_id, state, page)
            .await
            .map_err(sale::unread)?;
        let lines = page.items.iter().flat_map(|hold| &hold.lines);
        let seats = reads::seats(&self.database, lines.map(|line| line.unit).collect())
            .await
            .map_err(sale::unread)?;
        let next_page_token = list.token(page.next.as_ref());
        let holds = page.items.iter().map(|hold| convert::hold(hold, &seats));
        Ok(Response::new(pb::ListHoldsResponse {
            holds: holds.collect(),
            next_page_token,
        }))
    }

    async fn release_hold(
        &self,
        request: Request<pb::ReleaseHoldRequest>,
    ) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
        let account_id = account(&request)?.account_id;
        let body = request.get_ref();
        // Releasing twice is releasing once: the state is the record, so the request_id has nothing to remember.
        let (_, hold_id) = convert::two_ids(&body.request_id, "hold_id", &body.hold_id)
            .map_err(status::invalid)?;
        let command = Command::Release {
            hold_id,
            account_id,
        };
        let released = self
            .inventory
            .submit(command)
            .await
            .map_err(sale::not_held)?;
        let hold = Some(self.answer(&released).await?);
        Ok(Response::new(pb::ReleaseHoldResponse { hold }))
    }
}
