//! InventoryService.ListUnits, which reads the catalogue's view of a pool.

use proto::usher::booking::v1 as pb;
use tonic::{Request, Response, Status};

use super::{Passes, convert, status};
use crate::app::catalogue::Catalogue;

/// Answers ListUnits.
pub async fn list_units(
    catalogue: &Catalogue,
    passes: &Passes,
    request: Request<pb::ListUnitsRequest>,
) -> Result<Response<pb::ListUnitsResponse>, Status> {
    let (viewer, wrong) = passes.viewer(&request).await;
    let (list, filter, page) = convert::list_units(request.get_ref()).map_err(status::invalid)?;
    let page = catalogue
        .units(filter, &viewer, page)
        .await
        .map_err(|error| status::not_shown(error, wrong))?;
    Ok(Response::new(pb::ListUnitsResponse {
        next_page_token: list.token(page.next.as_ref()),
        units: page.items.into_iter().map(pb::Unit::from).collect(),
    }))
}
