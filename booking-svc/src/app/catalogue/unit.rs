//! Units on sale.

use mesh::pg::Connection;

use super::{Catalogue, Error, Rejection, read_failed, visible};
use crate::domain::show::Viewer;
use crate::domain::unit::{UnitFilter, UnitOnSale};
use crate::store::{show, unit};
use mesh::page::{Page, PageRequest};

impl Catalogue {
    /// Lists the units of a pool by ord, unless it belongs to a draft of somebody else.
    pub async fn units(
        &self,
        filter: UnitFilter,
        viewer: Viewer,
        page: PageRequest<u32>,
    ) -> Result<Page<UnitOnSale, u32>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let work = async move |connection: &mut Connection| {
            let show = show::load_of_pool(connection, filter.pool_id).await?;
            let units = unit::list(connection, &filter, after, limit).await?;
            Ok((show, units))
        };
        let (show, units) = self.database.read(work).await.map_err(read_failed)?;
        visible(show, viewer, Rejection::PoolNotFound)?;
        Ok(page.cut(units, |found| found.unit.ord))
    }
}
