//! Performances.

use chrono::{DateTime, Utc};
use mesh::id;
use mesh::pg::{Connection, TxError};
use uuid::Uuid;

use super::{Catalogue, Error, Rejection, Request, Turn, begin, open, visible};
use crate::app::inventory::levels;
use crate::domain::performance::{GradeAvailability, Performance, PerformanceSpec, PricesRefused};
use crate::domain::show::Viewer;
use crate::store::{hall, performance, show};
use mesh::page::{Page, PageRequest};

/// Place of a performance in the timetable of its show.
pub type Start = (DateTime<Utc>, Uuid);

impl Catalogue {
    /// Creates a performance of a show of the caller in one of the caller's halls, and opens its inventory.
    pub async fn create_performance(
        &self,
        request: Request,
        spec: PerformanceSpec,
    ) -> Result<Performance, Error> {
        let work = async move |connection: &mut Connection| {
            let seller_id = request.key.account_id;
            let first = match begin(connection, request).await? {
                Turn::First(first) => first,
                Turn::Replay(performance_id) => return replayed(connection, performance_id).await,
            };
            let show = show::load(connection, spec.show_id)
                .await?
                .ok_or(Rejection::ShowNotFound)?;
            let hall = hall::load_with_seller(connection, spec.hall_id).await?;
            let (hall, hall_seller_id) = hall.ok_or(Rejection::HallNotFound)?;
            if show.seller_id != seller_id || hall_seller_id != seller_id {
                return Err(Rejection::NotYours.into());
            }
            let expected = show.spec.currency;
            spec.check_prices(&hall.grades(), expected)
                .map_err(|refused| match refused {
                    PricesRefused::Invalid(violations) => Rejection::Invalid(violations),
                    PricesRefused::Currency(found) => {
                        Rejection::CurrencyMismatch { expected, found }
                    }
                })?;
            let new = Performance {
                performance_id: id::new(),
                pool_id: id::new(),
                layout_rev: hall.layout_rev,
                spec,
            };
            performance::insert(connection, &new).await?;
            // One after the other, so that each says how many pools there are with its own.
            show::lock(connection, new.spec.show_id).await?;
            levels::opened(connection, new.pool_id).await?;
            first.record(connection, new.performance_id).await?;
            replayed(connection, new.performance_id).await
        };
        self.database.transaction("create performance", work).await
    }

    /// Gets one performance that the viewer may look at, with what is left of it. Who may not costs no counting.
    pub async fn performance(
        &self,
        performance_id: Uuid,
        viewer: &Viewer,
    ) -> Result<(Performance, Vec<GradeAvailability>), Error> {
        let work = async move |connection: &mut Connection| {
            let Some(found) = performance::load(connection, performance_id).await? else {
                return Ok(Err(Rejection::PerformanceNotFound));
            };
            let show = show::load(connection, found.spec.show_id).await?;
            if let Err(refused) = open(show, viewer, Rejection::PerformanceNotFound) {
                return Ok(Err(refused));
            }
            let counts = performance::availability(connection, found.pool_id).await?;
            Ok(Ok((found, counts)))
        };
        Ok(self.database.read(work).await.map_err(TxError::widen)??)
    }

    /// Lists the performances of a show that the viewer may know of, by start time.
    pub async fn performances(
        &self,
        show_id: Uuid,
        viewer: &Viewer,
        start_time_after: Option<DateTime<Utc>>,
        page: PageRequest<Start>,
    ) -> Result<Page<Performance, Start>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let work = async move |connection: &mut Connection| {
            let show = show::load(connection, show_id).await?;
            if let Err(refused) = visible(show, viewer, Rejection::ShowNotFound) {
                return Ok(Err(refused));
            }
            performance::list(connection, show_id, start_time_after, after, limit)
                .await
                .map(Ok)
        };
        let performances = self.database.read(work).await.map_err(TxError::widen)??;
        Ok(page.cut(performances, |found| {
            (found.spec.start_time, found.performance_id)
        }))
    }
}

async fn replayed(connection: &mut Connection, performance_id: Uuid) -> Result<Performance, Error> {
    let found = performance::load(connection, performance_id).await?;
    Ok(found.ok_or(Rejection::PerformanceNotFound)?)
}
