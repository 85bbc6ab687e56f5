//! Units on sale.

use mesh::pg::{Connection, TxError};

use super::{Catalogue, Error, Rejection, open};
use crate::domain::show::Viewer;
use crate::domain::unit::{UnitFilter, UnitOnSale};
use crate::store::{show, unit};
use mesh::page::{Page, PageRequest};

impl Catalogue {
    /// Lists the units of a pool by ord, if the viewer may look at its show. Who may not costs no more than that show.
    pub async fn units(
        &self,
        filter: UnitFilter,
        viewer: &Viewer,
        page: PageRequest<u32>,
    ) -> Result<Page<UnitOnSale, u32>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let work = async move |connection: &mut Connection| {
            let show = show::load_of_pool(connection, filter.pool_id).await?;
            if let Err(refused) = open(show, viewer, Rejection::PoolNotFound) {
                return Ok(Err(refused));
            }
            let units = unit::list(connection, &filter, after, limit).await?;
            Ok(Ok(units))
        };
        let units = self.database.read(work).await.map_err(TxError::widen)??;
        Ok(page.cut(units, |found| found.unit.ord))
    }
}
